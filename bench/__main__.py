"""The command line: measures, shows tables, and writes a JSON file into bench/results/."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console

from alagg import __version__, form
from alagg.lab.namespace import LabError
from bench import end_to_end, engine, report
from bench.contestants import CONTESTANTS
from bench.machine import facts
from bench.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE: Final = Path(__file__).parent
FORMAT: Final = 1
"""Version of the JSON file's layout."""
BUSY: Final = 0.1
"""Share of the processors used by others from which on the results deserve a warning."""
ENGINE_REPEATS: Final = {"full": 25, "quick": 7}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; give the exit status."""
    given = parse(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    start, started, machine = time.monotonic(), now(), facts()
    warn(console, machine["others_load"])
    results = {"format": FORMAT, "alagg": __version__, "commit": commit(), "started": started, "machine": machine}
    try:
        results |= measure(given, console)
    except LabError as error:
        console.print(f"bench: {error}", style="red", markup=False)
        return 1
    results["seconds"] = round(time.monotonic() - start, 1)
    path = given.output or HERE / "results" / f"{started.replace(':', '')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    console.print(f"{results['seconds']:.0f} s; all figures, sample by sample: {path}", soft_wrap=True)
    return 0


def measure(given: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure the engine, the whole, or both, and show them."""
    results: dict[str, Any] = {}
    if given.what in ("all", "engine"):
        console.print("the engine, in this process ...")
        costs = engine.measure(engine.cases(), ENGINE_REPEATS["quick" if given.quick else "full"])
        console.print(report.engine_table(costs))
        results["engine"] = report.engine_values(costs)
    if given.what in ("all", "end-to-end"):
        plan = end_to_end.QUICK if given.quick else end_to_end.FULL
        plan = replace(plan, rounds=given.rounds or plan.rounds)
        standings = end_to_end.run(given.contestants, plan, console.print)
        console.print(report.end_to_end_table(standings))
        warn(console, max(summarise(standing.samples["others_load"]).median for standing in standings.values()))
        results |= {"plan": asdict(plan), "forms": {"engine": form.engine(), "edges": form.edges()}}
        results["end_to_end"] = report.end_to_end_values(standings)
    return results


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure alagg. End to end needs root.")
    parser.add_argument("what", nargs="?", default="all", choices=("all", "engine", "end-to-end"))
    parser.add_argument("--quick", action="store_true", help="less of everything: about a minute")
    parser.add_argument("--rounds", type=int, help="how often the contestants take turns")
    parser.add_argument(
        "--contestants", type=contestants, default=list(CONTESTANTS), metavar="NAME,...",
        help=f"who takes part (default: {','.join(CONTESTANTS)})",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the JSON goes (default: bench/results/)")
    return parser.parse_args(arguments)


def contestants(text: str) -> list[str]:
    """Read a list of names."""
    names = text.split(",")
    for name in names:
        if name not in CONTESTANTS:
            raise argparse.ArgumentTypeError(f"{name}: no such contestant; allowed: {', '.join(CONTESTANTS)}")
    return names


def warn(console: Console, others: float) -> None:
    """Say so when others keep the machine busy: ratios suffer the least, percentiles the most."""
    if others > BUSY:
        console.print(
            f"[yellow]others use {others:.0%} of the processors: trust the ratios rather than the figures, "
            "and no 99th percentile[/]"
        )


def commit() -> str | None:
    """Give the commit that is measured; None outside of a repository."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def now() -> str:
    """Give the time in UTC."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


if __name__ == "__main__":
    sys.exit(main())
