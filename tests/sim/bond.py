"""Bonds in virtual time: what links of different kinds carry together, and what they do to who sends little.

`python -m tests.sim.bond` prints the table. Rates are a tenth of those of the links that they stand for, so that a
minute of packets is seen in seconds; frames then take ten times as long, which makes it harder, not easier.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from alagg.lab.impairment import Settings
from tests.sim.network import Host, Network
from tests.sim.snapshot import table

SIZE: Final = 1400
FRAME: Final = SIZE + 20 + 24
MBIT: Final = 125_000.0
WARM_UP: Final = 1.0
SECONDS: Final = 1.0
"""How long what comes is counted, after the warm-up."""
FLOOD: Final = 1.15
"""What is sent in the flood, as a share of what all links carry."""
LIGHT: Final = 0.6
"""What is sent otherwise, as a share of what the best link carries."""


@dataclass(frozen=True)
class Line:
    """One link of a case."""

    mbit: float
    trip: float
    """Round trip in milliseconds."""
    loss: float = 0.0
    queue: float = 0.1
    """Seconds of frames that its buffer holds."""

    @property
    def settings(self) -> Settings:
        return Settings(delay=self.trip / 2000, rate=self.mbit * 1e6, loss=self.loss, queue=self.queue)

    def __str__(self) -> str:
        return f"{self.mbit:g}@{self.trip:g}" + (f" {self.loss:.0%} lost" if self.loss else "")


CASES: Final = (
    (Line(10, 10), Line(10, 10)),
    (Line(2.5, 10),) * 8,
    (Line(5, 10), Line(5, 60)),
    (Line(8, 10), Line(2, 80), Line(0.5, 600)),
    (Line(5, 10), Line(0.2, 300, queue=2.0)),
    (Line(10, 10), Line(0.3, 100, queue=0.5)),
)


@dataclass(frozen=True)
class Result:
    """What one case gave with one scheduler."""

    lines: tuple[Line, ...]
    scheduler: str
    share: float
    """What came in the flood, of what all links carry."""
    of_best: float
    """The same, of what the best one carries."""
    light: tuple[int, int, int, int]
    """Lost, twice, out of order, and the 99th percentile of the delay in milliseconds, of what fits the best link."""

    @property
    def row(self) -> tuple[object, ...]:
        alike = len(set(self.lines)) == 1
        what = f"{len(self.lines)} x {self.lines[0]}" if alike else " + ".join(map(str, self.lines))
        return what, self.scheduler, f"{self.share:.2f}", f"{self.of_best:.2f}", *self.light


def connected(lines: tuple[Line, ...], scheduler: str, seed: int = 1) -> tuple[Network, Host, Host]:
    network = Network(seed)
    one, two = network.host(scheduler=scheduler), network.host(scheduler=scheduler)
    for number, line in enumerate(lines):
        network.connect(one, two, f"link{number}", line.settings)
    network.run(0.5)
    return network, one, two


def measure(lines: tuple[Line, ...], scheduler: str) -> Result:
    rates = [line.mbit for line in lines]
    network, one, two = connected(lines, scheduler)
    begin, end = network.now + WARM_UP, network.now + WARM_UP + SECONDS
    count = int(FLOOD * sum(rates) * MBIT / FRAME * (WARM_UP + SECONDS))
    flood = network.stream(one, two, count=count, interval=(WARM_UP + SECONDS) / count, size=SIZE)
    network.run(end)
    came = sum(begin <= time < end for time, _ in flood.arrivals()) * FRAME / SECONDS / MBIT
    return Result(lines, scheduler, came / sum(rates), came / max(rates), light(lines, scheduler))


def light(lines: tuple[Line, ...], scheduler: str) -> tuple[int, int, int, int]:
    network, one, two = connected(lines, scheduler)
    count = int(LIGHT * max(line.mbit for line in lines) * MBIT / FRAME)
    stream = network.stream(one, two, count=count, interval=1 / count, size=SIZE)
    network.run(network.now + 1.5)
    delays = sorted(time - stream.sent[number] for time, number in stream.arrivals())
    return *stream.report()[1:4], round(delays[int(0.99 * len(delays))] * 1000)


def show(results: list[Result]) -> str:
    heading = ("Mbit/s@ms", "scheduler", "of the sum", "of the best", "lost", "twice", "out of order", "p99 ms")
    return table([heading, *(result.row for result in results)])


RUNS: Final = (*((lines, "adaptive") for lines in CASES), *((CASES[at], "latency") for at in (0, 2, 5)))


if __name__ == "__main__":
    print(show([measure(*run) for run in RUNS]), end="")  # noqa: T201
