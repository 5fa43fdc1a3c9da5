"""The command line: measures, shows tables, and writes a JSON file into bench/results/."""

from __future__ import annotations

import argparse
import json
import shlex
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
from bench import end_to_end, engine, goals, growth, growth_net, plots, report, soak
from bench.contestants import CONTESTANTS, QUICK, REFERENCE
from bench.goals import Results
from bench.machine import facts
from bench.native import NativeError
from bench.summary import summarise

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE: Final = Path(__file__).parent
FORMAT: Final = 2
"""Version of the JSON file's layout."""
BUSY: Final = 0.1
"""Share of the processors used by others from which on the results deserve a warning."""
REPEATS: Final = {"full": 15, "quick": 5}
"""Of what the engine alone is measured with."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; give the exit status."""
    given = parse(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 180)
    start, started, machine = time.monotonic(), now(), facts()
    warn(console, machine["others_load"])
    command = shlex.join(["python", "-m", "bench", *(sys.argv[1:] if arguments is None else arguments)])
    results = {
        "format": FORMAT, "command": command, "alagg": __version__, "commit": commit(), "started": started,
        "machine": machine,
    }
    try:
        results |= measure(given, console)
    except (LabError, NativeError) as error:
        console.print(f"bench: {error}", style="red", markup=False)
        return 1
    results["seconds"] = round(time.monotonic() - start, 1)
    path = given.output or HERE / "results" / f"{started.replace(':', '')}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    draw(console, results, path.with_suffix(""))
    console.print(f"made by: {command}", style="dim", markup=False)
    console.print(f"{results['seconds']:.0f} s; all figures, sample by sample: {path}", soft_wrap=True)
    return 0


def measure(given: argparse.Namespace, console: Console) -> dict[str, Any]:
    """Measure what was asked for, and show it."""
    values: dict[str, Any] = {}
    results = Results(form.engine())
    repeats = REPEATS["quick" if given.quick else "full"]
    if given.what in ("all", "engine"):
        console.print("the engine, in this process ...")
        results.costs = engine.measure(engine.cases(), repeats)
        console.print(report.engine_table(results.costs))
        values["engine"] = report.engine_values(results.costs)
    if given.what in ("all", "engine", "growth"):
        console.print("the engine as things grow ...")
        results.growths = growth.run(repeats)
        console.print(report.growth_table(results.growths))
        values["growth"] = report.growth_values(results.growths)
    if given.what == "growth":
        values["growth_end_to_end"] = growth_net.run(console, quick=given.quick)
    if given.what == "soak":
        values["soak"] = soak.run(console, given.minutes)
    if given.what in ("all", "end-to-end"):
        values |= compare(given, console, results)
    if given.what in ("all", "engine", "end-to-end"):
        console.print(report.goal_table(results))
        values["goals"] = goals.values(results)
    return values


def compare(given: argparse.Namespace, console: Console, results: Results) -> dict[str, Any]:
    """Measure the contestants end to end."""
    plan = end_to_end.QUICK if given.quick else end_to_end.FULL
    plan = replace(plan, rounds=given.rounds or plan.rounds)
    names = given.contestants or list(QUICK if given.quick else CONTESTANTS)
    standings = results.standings = end_to_end.run(names, plan, console.print)
    main = {name: one for name, one in standings.items() if one.contestant.thorough}
    forms = {name: one for name, one in standings.items() if name not in main or name == REFERENCE}
    for shown, brief in ((main, False), (forms, True)):
        if shown:
            console.print(report.end_to_end_table(shown, brief=brief))
    loads = [standing.samples["others_load"] for standing in standings.values() if "others_load" in standing.samples]
    if loads:
        warn(console, max(summarise(load).median for load in loads))
    return {
        "plan": asdict(plan),
        "forms": {"engine": form.engine(), "edges": form.edges()},
        "end_to_end": report.end_to_end_values(standings),
    }


def draw(console: Console, results: dict[str, Any], directory: Path) -> None:
    """Draw the pictures, if there is what they are drawn with."""
    try:
        drawn = plots.draw(results, directory, results["command"])
    except ImportError:
        console.print("no pictures: matplotlib is not installed; pip install matplotlib")
        return
    if drawn:
        console.print(f"pictures: {', '.join(path.name for path in drawn)} in {directory}", soft_wrap=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure alagg. End to end needs root.")
    parser.add_argument(
        "what", nargs="?", default="all", choices=("all", "engine", "end-to-end", "growth", "soak"),
        help="growth: in the engine and end to end; soak: a node's memory during a long transfer",
    )
    parser.add_argument("--quick", action="store_true", help="less of everything: three minutes at most")
    parser.add_argument("--rounds", type=int, help="how often the contestants take turns")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long soak takes (default: 10)")
    parser.add_argument(
        "--contestants", type=contestants, metavar="NAME,...",
        help=f"who takes part (default: all; with --quick: {','.join(QUICK)}): {', '.join(CONTESTANTS)}",
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
