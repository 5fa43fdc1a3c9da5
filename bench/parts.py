"""The parts of a run, each by its name; one that fails does not take the others with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from alagg import form
from bench import end_to_end, engine, goals, growth, growth_net, loss_net, report, soak, values
from bench.contestants import FULL, QUICK
from bench.failures import FAILURES, line
from bench.goals import Results
from bench.machine import BUSY

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from rich.console import Console

REPEATS: Final = {"full": 15, "quick": 5}
"""Of what the engine alone is measured with."""


@dataclass
class Run:
    """What is asked for, and what has come of it so far."""

    given: argparse.Namespace
    console: Console
    save: Callable[[Run], None]
    """Called after each part: what is measured is not lost with what comes later."""
    measured: dict[str, Any] = field(default_factory=dict)
    """For the JSON file."""
    results: Results = field(default_factory=lambda: Results(form.engine()))
    failures: list[str] = field(default_factory=list)

    def fail(self, text: str) -> None:
        """Note what could not be measured, and say it."""
        self.failures.append(text)
        self.say(text)

    def say(self, text: str) -> None:
        """Say a line."""
        self.console.print(text, style="red" if text in self.failures else None, markup=False, soft_wrap=True)

    def note(self, key: str, value: Any) -> None:
        """Take up what was measured, and show it."""
        if value:
            self.measured[key] = value
        for sheet in report.sheets({key: value}):
            self.console.print(sheet.rich())

    @property
    def repeats(self) -> int:
        """How often the engine alone is measured."""
        return REPEATS["quick" if self.given.quick else "full"]


def run(todo: Run) -> None:
    """Measure part by part; then hold it against the goals."""
    for name in PLANS[todo.given.what]:
        if todo.given.quick and todo.given.what == "all" and name in SLOW:
            continue
        try:
            PARTS[name](todo)
        except FAILURES as error:
            todo.fail(f"{name} is not measured: {line(error)}")
        finally:
            todo.save(todo)
    if todo.measured:
        rows = goals.values(todo.results)
        # A whole run owes every row; a part shows those that it speaks of.
        shown = [row for row in rows if todo.given.what == "all" or row["measured"] is not None]
        todo.note("goals", shown)
        todo.save(todo)


def engine_alone(todo: Run) -> None:
    """Measure the engine's stages."""
    todo.say("the engine, in this process ...")
    todo.results.costs = engine.measure(engine.cases(), todo.repeats)
    todo.note("engine", values.engine_values(todo.results.costs))


def engine_growth(todo: Run) -> None:
    """Measure the engine as things grow."""
    todo.say("the engine as things grow ...")
    todo.results.growths = growth.run(todo.repeats)
    todo.note("growth", values.growth_values(todo.results.growths))


def contestants(todo: Run) -> None:
    """Let the contestants take turns."""
    given = todo.given
    plan = end_to_end.QUICK if given.quick else end_to_end.FULL
    plan = replace(plan, rounds=given.rounds or plan.rounds)
    names = given.contestants or list(QUICK if given.quick else FULL)
    standings = todo.results.standings = {}
    try:
        end_to_end.run(names, plan, standings, say=todo.say, fail=todo.fail)
    finally:
        # What was reached before Ctrl-C is kept, too.
        if any(one.rounds for one in standings.values()):
            todo.measured |= {"plan": values.plan_values(plan), "forms": forms()}
            todo.note("end_to_end", values.end_to_end_values(standings))
    warn(todo.console, values.others_load(todo.measured["end_to_end"]) if "end_to_end" in todo.measured else 0.0)


def forms() -> dict[str, str]:
    """Say what is compiled."""
    return {"engine": form.engine(), "edges": form.edges()}


def growth_end_to_end(todo: Run) -> None:
    """Measure links, flows and peers end to end."""
    todo.results.ways = growth_net.run(todo.console, todo.fail, quick=todo.given.quick)
    todo.note("growth_end_to_end", growth_net.values(todo.results.ways))


def losses(todo: Run) -> None:
    """Measure what losses leave."""
    todo.note("loss_end_to_end", loss_net.values(loss_net.run(todo.console, todo.fail, quick=todo.given.quick)))


def long_transfer(todo: Run) -> None:
    """Watch a node's memory."""
    todo.results.soak = soak.run(todo.console, todo.given.minutes)
    todo.note("soak", todo.results.soak.values())


def warn(console: Console, others: float) -> None:
    """Say so when others keep the machine busy: ratios suffer the least, percentiles the most."""
    if others > BUSY:
        console.print(
            f"[yellow]others use {others:.0%} of the processors: trust the ratios rather than the figures, "
            "and no 99th percentile[/]"
        )


PARTS: Final[dict[str, Callable[[Run], None]]] = {
    "engine": engine_alone, "growth": engine_growth, "end-to-end": contestants,
    "growth-end-to-end": growth_end_to_end, "loss": losses, "soak": long_transfer,
}
PLANS: Final = {
    "all": tuple(PARTS),
    "engine": ("engine", "growth"),
    "end-to-end": ("end-to-end",),
    "growth": ("growth", "growth-end-to-end"),
    "loss": ("loss",),
    "soak": ("soak",),
}
"""The parts of what the command line may ask for."""
SLOW: Final = frozenset({"growth-end-to-end", "soak"})
"""Left out of a quick run, unless asked for."""
