"""The command line: measures, shows tables, and writes a JSON file into bench/results/."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rich.console import Console

from alagg import __version__
from bench import parts, plots
from bench.contestants import CONTESTANTS, FULL, QUICK
from bench.machine import facts
from bench.parts import PLANS, Run
from bench.values import FORMAT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

HERE: Final = Path(__file__).parent
INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as shells have it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; give the exit status, 0 only if everything was measured."""
    given = parse(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    start, started, machine = time.monotonic(), now(), facts()
    parts.warn(console, machine["others_load"])
    command = shlex.join(["python", "-m", "bench", *(sys.argv[1:] if arguments is None else arguments)])
    path: Path = given.output or HERE / "results" / f"{started.replace(':', '')}.json"
    first = {
        "format": FORMAT, "command": command, "alagg": __version__, "commit": commit(), "started": started,
        "machine": machine,
    }

    def save(run: Run) -> None:
        if run.measured:
            seconds = round(time.monotonic() - start, 1)
            write(path, {**first, "seconds": seconds, "failures": run.failures, **run.measured})

    run = Run(given, console, save)
    interrupted = False
    try:
        with_signals(run)
    except KeyboardInterrupt:
        interrupted = True
    finish(run, path, command)
    return INTERRUPTED if interrupted else 1 if run.failures else 0


def with_signals(run: Run) -> None:
    """Measure; the first SIGINT or SIGTERM ends it in order, and nothing disturbs the tidying up."""

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        for other in handled:
            signal.signal(other, signal.SIG_IGN)
        run.console.print(f"{signal.Signals(number).name}: tidying up ...")
        raise KeyboardInterrupt

    handled = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        parts.run(run)
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)


def finish(run: Run, path: Path, command: str) -> None:
    """Say what is missing, draw what there is, and tell where it lies."""
    for failure in run.failures:
        run.console.print(f"bench: {failure}", style="red", markup=False, soft_wrap=True)
    if path.exists() and run.measured:
        results = json.loads(path.read_text(encoding="utf-8"))
        draw(run.console, results, path.with_suffix(""))
        run.console.print(f"made by: {command}", style="dim", markup=False, soft_wrap=True)
        run.console.print(f"{results['seconds']:.0f} s; all figures, sample by sample: {path}", soft_wrap=True)


def write(path: Path, results: dict[str, Any]) -> None:
    """Write the JSON file; who reads it meanwhile finds it whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    fresh.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    fresh.replace(path)


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
        "what", nargs="?", default="all", choices=tuple(PLANS),
        help="growth: in the engine and end to end; loss: links that lose frames; soak: a node's memory during a "
             "long transfer",
    )
    parser.add_argument("--quick", action="store_true", help="less of everything: four minutes at most")
    parser.add_argument("--rounds", type=int, help="how often the contestants take turns")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the soak takes (default: 10)")
    parser.add_argument(
        "--contestants", type=contestants, metavar="NAME,...",
        help=f"who takes part (default: {','.join(FULL)}; with --quick: {','.join(QUICK)}); there are: "
             f"{', '.join(CONTESTANTS)}",
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
