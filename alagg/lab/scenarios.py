"""Scenarios: links of some kind, what happens to them while traffic flows, and what has to come of it.

`alagg lab list` names them, `alagg lab run NAME` runs one and holds its figures against its goals.
"""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table

from alagg.lab import measure
from alagg.lab.faults import together
from alagg.lab.impairment import Settings
from alagg.lab.record import Record, Recorder
from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from alagg.lab.measure import Stream, Transfer

PING: Final = 0.005
"""Seconds between two pings of a family."""
RATE: Final = 20e6
"""Bits per second of the TCP transfer from host b to host a, unless a scenario says otherwise. The kernel paces it in
bursts: these alone leave up to 27 ms between two arrivals, and 60 ms with a quarter of the rate."""
SETTLE: Final = 3.0
"""Seconds within which a node must have measured a link."""


@dataclass(frozen=True)
class Step:
    """Something that is done to the lab while traffic flows."""

    at: float
    """Seconds after the traffic began."""
    says: str
    do: Callable[[Lab], object]


@dataclass(frozen=True)
class Outcome:
    """What came of a scenario."""

    pings: Stream
    """Over IPv4 and IPv6, added up."""
    transfer: Transfer
    record: Record


@dataclass(frozen=True)
class Goal:
    """A figure, and what it must be at most."""

    says: str
    figure: Callable[[Outcome], float]
    most: float
    unit: str = ""

    def text(self, value: float) -> str:
        """Write a figure for people."""
        return f"{value:.3g} {self.unit}".rstrip()


@dataclass(frozen=True)
class Scenario:
    """A lab, what happens in it, and its goals."""

    says: str
    links: tuple[Settings, ...]
    """How frames travel at the start, both ways, one for each link."""
    goals: tuple[Goal, ...]
    steps: tuple[Step, ...] = ()
    seconds: float = 6.0
    rate: float = RATE
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the section `[alagg]` of both nodes."""


@dataclass(frozen=True)
class Verdict:
    """A scenario's figures beside its goals."""

    name: str
    outcome: Outcome
    figures: tuple[tuple[Goal, float], ...]

    @property
    def passed(self) -> bool:
        """Whether every goal is reached."""
        return all(figure <= goal.most for goal, figure in self.figures)


def run(name: str, changes: Sequence[Step] = ()) -> Verdict:
    """Run a scenario in a lab of its own; `changes` happen besides its own steps.

    Raises:
        KeyError: there is no such scenario.
        LabError: the lab cannot be built, or a node failed in it.
    """
    scenario = SCENARIOS[name]
    with Lab(links=len(scenario.links), emulated=True) as lab:
        for wire, settings in zip(lab.wire, scenario.links, strict=True):
            wire.apply(settings)
        lab.start_nodes(scenario.options)
        lab.await_links(timeout=20)
        outcome = _traffic(lab, scenario, sorted((*scenario.steps, *changes), key=lambda step: step.at))
        lab.stop_nodes()
    return Verdict(name, outcome, tuple((goal, goal.figure(outcome)) for goal in scenario.goals))


def _traffic(lab: Lab, scenario: Scenario, steps: Sequence[Step]) -> Outcome:
    count, size = int(scenario.seconds / PING), int(scenario.rate / 8 * scenario.seconds)
    with ExitStack() as running:
        recorder = running.enter_context(Recorder(lab.hosts))
        pings = [measure.ping(lab.a, lab.b, count=count, interval=PING, family=family) for family in (4, 6)]
        transfer = measure.transfer(lab.b, lab.a, size=size, rate=scenario.rate)
        for ping in pings:
            running.callback(ping.stop)
        running.callback(transfer.stop)
        began = recorder.now
        for step in steps:
            time.sleep(max(0.0, began + step.at - recorder.now))
            recorder.mark(step.says)
            step.do(lab)
        return Outcome(together(ping.result() for ping in pings), transfer.result(), recorder.record)


def table(verdict: Verdict) -> Table:
    """Show a scenario's figures beside its goals."""
    shown = Table(title=f"{verdict.name}: {SCENARIOS[verdict.name].says}", title_justify="left")
    for title in ("figure", "measured", "goal", ""):
        shown.add_column(title, justify="right" if title in ("measured", "goal") else "left")
    for goal, value in verdict.figures:
        well = "[green]ok[/]" if value <= goal.most else "[red]FAILED[/]"
        shown.add_row(goal.says, goal.text(value), f"≤ {goal.text(goal.most)}", well)
    return shown


def rates_from(text: str, link: int = 0, place: str = "trace") -> list[Step]:
    """Read a trace of a link's rate: a line for each change, `SECONDS BITS_PER_SECOND`; `#` begins a comment.

    A rate of 0 is a link through which nothing comes.

    Args:
        text: the trace.
        link: the link's number, from 0.
        place: what the trace is called in errors.

    Raises:
        ValueError: a line is no such line, or goes back in time.
    """
    steps: list[Step] = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            at, rate = map(float, words)
        except ValueError:
            at = rate = -1.0
        if not (at >= (steps[-1].at if steps else 0.0) and 0 <= rate < float("inf")):
            raise ValueError(
                f"{place}, line {number}: {line.strip()!r}; allowed: seconds, not before those of the line above, "
                "and bits per second"
            )
        steps.append(Step(at, f"eth{link}: {rate / 1e6:g} Mbit/s", _rate(link, rate)))
    return steps


def _rate(link: int, rate: float) -> Callable[[Lab], object]:
    def change(lab: Lab) -> None:
        lab.wire[link].change(rate=rate, cut=not rate)

    return change


# --- what happens -------------------------------------------------------------------------------------------------


def _unplug(lab: Lab) -> None:
    lab.wire[0].unplug()


def _plug(lab: Lab) -> None:
    lab.wire[0].plug()


def _cut(lab: Lab) -> None:
    lab.wire[0].cut()


def _restore(lab: Lab) -> None:
    lab.wire[0].restore()


def _delete(lab: Lab) -> None:
    lab.wire[0].delete_device(lab.a)


def _create(lab: Lab) -> None:
    lab.wire[0].create_device(lab.a)
    lab.a.interface_up("eth0")


def _block(lab: Lab) -> None:
    lab.a.node.command("link", "block", "eth0")


def _unblock(lab: Lab) -> None:
    lab.a.node.command("link", "unblock", "eth0")


def _flap(lab: Lab) -> None:
    lab.wire[0].cut()
    time.sleep(0.5)
    lab.wire[0].restore()


# --- what must come of it -----------------------------------------------------------------------------------------


def _within(link: str, key: str, wanted: float, scale: float = 1.0) -> Callable[[Outcome], float]:
    """Give by how much a figure of host a differs from what the emulator does, once it has had time to settle."""

    def difference(outcome: Outcome) -> float:
        looks = [look for look in outcome.record.looks if look.at > SETTLE]
        told = [float(look.link(0, link)[key]) for look in looks if look.link(0, link)[key] is not None]
        return abs(sum(told) / len(told) - wanted) * scale if told else float("inf")

    return difference


def _noticed(link: str, state: str, at: float) -> Callable[[Outcome], float]:
    """Give how many seconds after a time the first host says that a link is in a state."""

    def seconds(outcome: Outcome) -> float:
        mark = next(time for time, _ in outcome.record.marks if time >= at)
        seen = [outcome.record.first(host, link, state, mark) for host in (0, 1)]
        return max(float("inf") if time is None else time - mark for time in seen)

    return seconds


LOSS: Final = Goal("messages lost", lambda outcome: outcome.pings.lost, 0)
TWICE: Final = Goal("messages that came twice", lambda outcome: outcome.pings.duplicated, 0)
GAP: Final = Goal("longest silence", lambda outcome: outcome.pings.longest_gap * 1000, 50, "ms")
WHOLE: Final = Goal("transfers that did not arrive whole", lambda outcome: float(not outcome.transfer.intact), 0)
STALL: Final = Goal("longest stall of TCP", lambda outcome: outcome.transfer.longest_stall * 1000, 50, "ms")
NOTHING_FELT: Final = (LOSS, TWICE, GAP, WHOLE, STALL)

_CLEAN: Final = Settings()
_TWO: Final = (_CLEAN, _CLEAN)

SCENARIOS: Final[dict[str, Scenario]] = {
    "pulled": Scenario(
        "a cable is pulled, and plugged in again", _TWO, NOTHING_FELT,
        (Step(2, "unplugged", _unplug), Step(4, "plugged in", _plug)),
    ),
    "silent": Scenario(
        "a link falls silent while its carrier stays, and comes back", _TWO, NOTHING_FELT,
        (Step(2, "silent", _cut), Step(4, "back", _restore)),
    ),
    "replugged": Scenario(
        "an adapter is pulled out of the host, and put in again under another index", _TWO, NOTHING_FELT,
        (Step(2, "pulled out", _delete), Step(4, "put in", _create)),
    ),
    "blocked": Scenario(
        "a link is blocked by its operator, and let go", _TWO, NOTHING_FELT,
        (Step(2, "blocked", _block), Step(4, "let go", _unblock)),
    ),
    "flapping": Scenario(
        "a link goes and comes again each second", _TWO, NOTHING_FELT,
        tuple(Step(1 + second, "gone for 0.5 s", _flap) for second in range(6)), seconds=8,
    ),
    "noticed": Scenario(
        "a link with a round trip of 300 ms falls silent", (Settings(delay=0.15), _CLEAN),
        (LOSS, TWICE, WHOLE, Goal("noticed by both after", _noticed("eth0", "silent", 2), 3 * 0.3 + 0.2, "s")),
        (Step(2, "silent", _cut),), options={"probe_interval": "100ms"},
    ),
    "measured": Scenario(
        "a link delays by 20 ms, and loses 2 %", (Settings(delay=0.02, loss=0.02), _CLEAN),
        (
            LOSS, TWICE, WHOLE,
            Goal("round trip as measured, off by", _within("eth0", "rtt_ms", 40.0), 1 + 0.05 * 40, "ms"),
            Goal("loss inwards, off by", _within("eth0", "loss", 0.02, 100), 0.5, "points"),
            Goal("loss outwards, off by", _within("eth0", "tx_loss", 0.02, 100), 0.5, "points"),
        ), seconds=12,
    ),
    "radio": Scenario(
        "a link's rate changes each second", (Settings(rate=20e6), Settings(rate=20e6)), (LOSS, TWICE, WHOLE),
        tuple(rates_from("1 8e6\n2 15e6\n3 2e6\n4 0\n5 12e6")), rate=5e6,
    ),
    "bufferbloat": Scenario(
        "one of two links is slow, and its buffer holds two seconds", (_CLEAN, Settings(rate=2e6, queue=2.0)),
        (LOSS, TWICE, WHOLE, GAP),
    ),
}
