"""The command line: measures part by part, shows tables, and writes a JSON file into bench/results/."""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rich.console import Console

from alagg import __version__, form
from bench import end_to_end, engine, report, scale, soak
from bench.contestants import CONTESTANTS, PUBLISHED, before
from bench.failures import FAILURES, line
from bench.machine import BUSY, facts
from bench.results import FORMAT, write

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

HERE: Final = Path(__file__).parent
INTERRUPTED: Final = 130
"""Exit status after Ctrl-C, as shells have it."""
REPEATS: Final = {"full": 15, "quick": 5}
"""Of what the engine alone is measured with."""


class Course:
    """A course through the parts: what is asked for, and what has come of it so far."""

    def __init__(self, given: argparse.Namespace, console: Console, command: str) -> None:
        """Note what is known before anything is measured."""
        self.given = given
        self.console = console
        self._begin = time.monotonic()
        started = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self.path: Path = given.output or HERE / "results" / f"{started.replace(':', '')}.json"
        self.results: dict[str, Any] = {
            "format": FORMAT, "command": command, "alagg": __version__, "commit": commit(), "started": started,
            "machine": facts(), "failures": [],
        }
        self.measured = False

    def say(self, text: str) -> None:
        """Say a line."""
        style = "red" if text in self.results["failures"] else None
        self.console.print(text, style=style, markup=False, soft_wrap=True)

    def fail(self, text: str) -> None:
        """Note what could not be measured, and say it."""
        self.results["failures"].append(text)
        self.say(text)

    def go(self) -> None:
        """Measure part by part; one that fails does not take the others with it. What there is is saved each time."""
        given = self.given
        for name in PLANS["quick" if given.quick and given.what == "all" else given.what]:
            try:
                PARTS[name](self)
            except FAILURES as error:
                self.fail(f"{name} is not measured: {line(error)}")
            finally:
                self.save()

    def save(self) -> None:
        """Write the file, if anything was measured."""
        self.measured = any(self.results.get(name.replace("-", "_")) for name in PARTS)
        if self.measured:
            write(self.path, {**self.results, "seconds": round(time.monotonic() - self._begin, 1)})

    def finish(self) -> None:
        """Show what was measured, say what is missing, and where it lies."""
        if self.measured:
            for sheet in (*report.sheets([self.results]),
                          report.goal_sheet([self.results], whole=self.given.what == "all")):
                self.console.print(sheet.rich())
            self.say(f"made by: {self.results['command']}; all figures, sample by sample: {self.path}")
        for failure in self.results["failures"]:
            self.console.print(f"bench: {failure}", style="red", markup=False, soft_wrap=True)


def engine_alone(course: Course) -> None:
    """Measure the engine."""
    course.say(f"the engine ({form.engine()}), in this process ...")
    course.results["engine"] = engine.run(REPEATS["quick" if course.given.quick else "full"])


def contestants(course: Course) -> None:
    """Let the contestants take turns."""
    given = course.given
    entries = {name: CONTESTANTS[name] for name in given.contestants or PUBLISHED}
    if given.against:
        entries |= before(given.against)
    plan = end_to_end.QUICK if given.quick else end_to_end.FULL
    plan = replace(plan, rounds=given.rounds or plan.rounds)
    end_to_end.run(entries, plan, course.results.setdefault("end_to_end", {}), say=course.say, fail=course.fail)


def crowd(course: Course) -> None:
    """Measure a node with many peers."""
    course.results["scale"] = scale.run(course.say)


def long_transfer(course: Course) -> None:
    """Watch a node's memory."""
    course.results["soak"] = soak.run(course.given.minutes, course.say)


PARTS: Final[dict[str, Callable[[Course], None]]] = {
    "engine": engine_alone, "end-to-end": contestants, "scale": crowd, "soak": long_transfer,
}
"""What a run may measure, by the name that the command line and (with _) the results have for it."""
PLANS: Final = {"all": tuple(PARTS), "quick": ("engine", "end-to-end"), **{name: (name,) for name in PARTS}}


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line asks for; give the exit status, 0 only if everything was measured."""
    given = parse(arguments)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
    command = shlex.join(["python", "-m", "bench", *(sys.argv[1:] if arguments is None else arguments)])
    course = Course(given, console, command)
    if course.results["machine"]["others_load"] > BUSY:
        course.say(f"others use {course.results['machine']['others_load']:.0%} of the processors: trust ratios only")
    interrupted = False
    try:
        with_signals(course)
    except KeyboardInterrupt:
        interrupted = True
    course.finish()
    return INTERRUPTED if interrupted else 1 if course.results["failures"] else 0


def with_signals(course: Course) -> None:
    """Measure; the first SIGINT or SIGTERM ends it in order, and nothing disturbs the tidying up."""

    def interrupt(number: int, _frame: FrameType | None) -> NoReturn:
        for other in handled:
            signal.signal(other, signal.SIG_IGN)
        course.say(f"{signal.Signals(number).name}: tidying up ...")
        raise KeyboardInterrupt

    handled = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        course.go()
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure alagg; needs root.")
    parser.add_argument("what", nargs="?", default="all", choices=("all", *PARTS),
                        help="scale: a node with 1,000 peers; soak: a node's memory during a long transfer")
    parser.add_argument("--quick", action="store_true", help="less of everything, without scale and soak")
    parser.add_argument("--rounds", type=int, help="how often the contestants take turns")
    parser.add_argument("--minutes", type=float, default=10.0, help="how long the soak takes (default: 10)")
    parser.add_argument("--contestants", type=names, metavar="NAME,...",
                        help=f"who takes part (default: {','.join(PUBLISHED)}); there are: {', '.join(CONTESTANTS)}")
    parser.add_argument("--against", type=Path, metavar="DIR",
                        help="another checkout of alagg, built, that takes part as `before`")
    parser.add_argument("--output", type=Path, metavar="FILE", help="where the JSON goes (default: bench/results/)")
    given = parser.parse_args(arguments)
    if given.against:
        try:
            before(given.against)
        except ValueError as error:
            parser.error(f"--against: {error}")
    return given


def names(text: str) -> list[str]:
    """Read a list of contestants."""
    for name in (found := text.split(",")):
        if name not in CONTESTANTS:
            raise argparse.ArgumentTypeError(f"{name}: no such contestant; allowed: {', '.join(CONTESTANTS)}")
    return found


def commit() -> str | None:
    """Give the commit that is measured; None outside of a repository."""
    command = ["git", "-C", str(HERE), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


if __name__ == "__main__":
    sys.exit(main())
