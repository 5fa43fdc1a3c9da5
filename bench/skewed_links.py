"""How much of a fast link is left to TCP when a slow one carries copies beside it: `python -m bench.skewed_links`.

Both are shaped by the kernel (tbf). In each round a transfer runs over the fast link alone, without alagg, and then
with alagg over both. The best that alagg can reach is what its headers leave: 0.983 of TCP's goodput, at an MTU of
1500 bytes.
"""

from __future__ import annotations

import argparse
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table

from alagg.lab.topology import Lab
from alagg.lab.wire import LinkSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alagg.lab.measure import Family, Transfer

FAST: Final = 75e6
"""Bits per second of link 0."""
FAMILIES: Final[tuple[Family, ...]] = (4, 6)


@dataclass(frozen=True)
class Slow:
    """The slow link."""

    rate: float
    """Bits per second."""
    queue: float
    """Seconds of frames that wait in it before it is full."""

    def __str__(self) -> str:
        return f"{self.rate / 1e6:g} Mbit/s with {self.queue * 1e3:g} ms of queue"


SLOW: Final = (Slow(25e6, 0.02), Slow(25e6, 0.1), Slow(5e6, 0.02), Slow(5e6, 0.1))
"""The promise speaks of the first one; deep queues are what cheap modems have."""


@dataclass(frozen=True)
class Round:
    """One transfer without alagg and one with it, over the same IP."""

    family: Family
    plain: Transfer
    joined: Transfer
    shed: int
    """Copies that the slow link could not take meanwhile."""
    given_up: int
    """Packets that the receiver waited for in vain."""

    @property
    def ratio(self) -> float:
        """What is left of the goodput."""
        return self.joined.goodput / self.plain.goodput

    def __str__(self) -> str:
        return (
            f"IPv{self.family}: {self.joined.goodput / 1e6:.2f} of {self.plain.goodput / 1e6:.2f} Mbit/s, "
            f"{self.ratio:.3f}; the slow link shed {self.shed} copies; the receiver gave {self.given_up} packets up"
        )


@contextmanager
def build(slow: Slow) -> Iterator[Lab]:
    """Give a lab of a fast link and a slow one."""
    shape = f"tbf rate {slow.rate:.0f} burst {max(3100, slow.rate / 8 * 0.005):.0f} latency {slow.queue * 1e3:g}ms"
    with Lab(links=[LinkSpec(rate=int(FAST)), LinkSpec(rate=int(slow.rate))]) as lab:
        for host in lab.hosts:
            host.tc(f"qdisc replace dev eth1 root {shape}")
        yield lab


def measure(slow: Slow, *, size: int, rounds: int, families: Sequence[Family] = FAMILIES) -> list[Round]:
    """Measure in a lab of its own; both kinds of transfer take turns.

    Args:
        slow: the slow link.
        size: bytes of each transfer.
        rounds: how often.
        families: the IP versions, one after the other in each round.
    """
    with build(slow) as lab:
        return [_round(lab, family, size) for _ in range(rounds) for family in families]


def _round(lab: Lab, family: Family, size: int) -> Round:
    plain = lab.a.transfer(lab.b, size=size, family=family)
    lab.start_nodes()
    lab.await_links()
    joined = lab.a.transfer(lab.b, size=size, family=family)
    sender: dict[str, Any] = lab.a.node.status()["links"][1]
    receiver: dict[str, Any] = lab.b.node.status()["peers"][0]["rx"]
    lab.stop_nodes()
    return Round(family, plain, joined, sender["tx_dropped_full"], receiver["given_up"])


def table(results: dict[Slow, list[Round]]) -> Table:
    """Show the medians, one slow link a row."""
    shown = Table(title=f"TCP over {FAST / 1e6:g} Mbit/s, and a slow link beside it", title_justify="left")
    shown.add_column("slow link")
    titles = "alone\nMbit/s", "with alagg\nMbit/s", "ratio", "worst", "copies\nshed", "given\nup", "longest\nstall"
    for title in titles:
        shown.add_column(title, justify="right")
    for slow, rounds in results.items():
        shown.add_row(
            str(slow),
            f"{median(one.plain.goodput for one in rounds) / 1e6:.1f}",
            f"{median(one.joined.goodput for one in rounds) / 1e6:.1f}",
            f"{median(one.ratio for one in rounds):.3f}",
            f"{min(one.ratio for one in rounds):.3f}",
            str(sum(one.shed for one in rounds)),
            str(sum(one.given_up for one in rounds)),
            f"{max(one.joined.longest_stall for one in rounds) * 1e3:.0f} ms",
        )
    return shown


def main() -> None:
    """Measure all slow links and show what came out."""
    parser = argparse.ArgumentParser(prog="python -m bench.skewed_links", description=__doc__)
    parser.add_argument("--size", type=float, default=50e6, help="bytes of each transfer")
    parser.add_argument("--rounds", type=int, default=2, help="how often, over IPv4 and IPv6 each")
    arguments = parser.parse_args()
    console = Console()
    results = {}
    for slow in SLOW:
        results[slow] = measure(slow, size=int(arguments.size), rounds=arguments.rounds)
        for one in results[slow]:
            console.print(f"{slow}: {one}", highlight=False)
    console.print(table(results))


if __name__ == "__main__":
    main()
