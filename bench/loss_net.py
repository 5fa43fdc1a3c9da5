"""Loss end to end: what is left of TCP's goodput and of datagrams when links lose 0, 1 and 5 % of their frames.

The links have a rate that the lab's emulator keeps up with, and each of them loses frames by chance, independently
of the others. What can be expected of datagrams: on one link, or spread over several, the share p that a link loses;
with a copy on each of n links, p to the power of n.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from alagg.lab.topology import Lab
from alagg.lab.wire import LinkSpec
from bench.contestants import CONTESTANTS
from bench.end_to_end import try_rate
from bench.failures import FAILURES, line
from bench.pairs import exchange

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from bench.contestants import Contestant

NAMES: Final = ("veth", "mptcp", "alagg-redundant", "alagg-round-robin")
LOSSES: Final = (0.0, 0.01, 0.05)
"""Shares of the frames that each link loses, in both directions."""
RATE: Final = 50_000_000
"""Bits per second of each link."""
DATAGRAMS: Final = 3000.0
"""A second, of so many bytes: well below what a link carries."""
SIZE: Final = 512
SECONDS: Final = 1.2
ROUNDS: Final = 3


@dataclass(frozen=True)
class Lossy:
    """One contestant at one loss; a sample of each round."""

    name: str
    contestant: Contestant
    loss: float
    bit_per_s: list[float] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)
    """Shares of the datagrams that did not arrive."""

    @property
    def expected(self) -> float | None:
        """The share of datagrams that should be lost; None where it carries none."""
        if not self.contestant.datagrams:
            return None
        return self.loss ** (self.contestant.links if self.name == "alagg-redundant" else 1)


def run(console: Console, fail: Callable[[str], None], *, quick: bool) -> list[Lossy]:
    """Measure everybody at every loss, in turns; say what fails, and go on without it."""
    seconds, rounds = (SECONDS / 2, 1) if quick else (SECONDS, ROUNDS)
    every: list[Lossy] = []
    with ExitStack() as labs:
        for name in NAMES:
            try:
                contestant = labs.enter_context(emulated(name))
            except FAILURES as error:
                fail(f"{name} is not measured with losses: {line(error)}")
            else:
                every += [Lossy(name, contestant, loss) for loss in LOSSES]
        for number in range(rounds):
            console.print(f"losses, round {number + 1} of {rounds} ...")
            for one in every:
                try:
                    measure(one, seconds)
                except FAILURES as error:
                    fail(f"{one.name} with {one.loss:.0%} of loss failed in round {number + 1}: {line(error)}")
    return [one for one in every if one.bit_per_s]


def emulated(name: str) -> Contestant:
    """Give a contestant whose links can lose frames."""
    contestant = CONTESTANTS[name]()
    contestant.lab = Lab([LinkSpec(rate=RATE)] * contestant.links, emulated=True)
    return contestant


def measure(one: Lossy, seconds: float) -> None:
    """Take one sample."""
    contestant = one.contestant
    with contestant.turn():
        for wire in contestant.lab.wire:
            wire.set(loss=one.loss)
        try:
            # Whoever loses frames may come out with an idle link: `end_to_end.transfer` would not take that.
            result = exchange(contestant, "bulk-server", "bulk", protocol=contestant.stream, seconds=seconds)
            one.bit_per_s.append(result["bytes"] * 8 / result["seconds"])
            if contestant.datagrams:
                trial = try_rate(contestant, SIZE, seconds, DATAGRAMS)
                one.lost.append(1 - trial.received / trial.sent)
        finally:
            for wire in contestant.lab.wire:
                wire.clear()


def values(measured: list[Lossy]) -> list[dict[str, Any]]:
    """Give what was measured for the JSON file."""
    return [
        {
            "contestant": one.name, "title": one.contestant.title, "link_loss": one.loss,
            "link_bit_per_s": RATE, "bit_per_s": one.bit_per_s, "lost": one.lost, "expected_lost": one.expected,
        }
        for one in measured
    ]
