"""The fault matrix: what each fault of one link does to a stream of pings, without alagg and with it.

After the Linux kernel's `selftests/net/hsr/link_faults.sh`, with corruption and duplication added.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from alagg.lab import measure
from alagg.lab.impairment import Settings
from alagg.lab.measure import Stream
from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Iterable

COUNT: Final = 400
INTERVAL: Final = 0.01

_CLEAN: Final = Settings()


@dataclass(frozen=True)
class Fault:
    """What happens to the two links of a lab; link 1 never loses, repeats or damages anything."""

    says: str
    first: Settings = _CLEAN
    """Link 0, the one that carries the addresses."""
    second: Settings = _CLEAN
    """Link 1."""
    cut: bool = False
    """Link 0 becomes a black hole halfway."""


FAULTS: Final = {
    "clean": Fault("nothing happens"),
    "cut": Fault("a link falls silent halfway", cut=True),
    "loss": Fault("a link loses 20 %", Settings(loss=0.2)),
    "fast-loss": Fault("the faster link loses 80 %", Settings(loss=0.8), Settings(delay=0.005)),
    "reorder": Fault("a link delays by 50 ms, and 20 % overtake", Settings(delay=0.05, reorder=0.2)),
    "corrupt": Fault("a link damages 30 %", Settings(corrupt=0.3)),
    "duplicate": Fault("a link repeats 30 %", Settings(duplicate=0.3)),
}


@dataclass(frozen=True)
class Outcome:
    """What a fault did: the streams of IPv4 and IPv6 added up, without alagg and with it."""

    fault: str
    without: Stream
    with_alagg: Stream

    @property
    def passed(self) -> bool:
        """Whether alagg let nothing be lost or repeated."""
        return self.with_alagg.lost == self.with_alagg.duplicated == 0


def run(name: str, *, count: int = COUNT, interval: float = INTERVAL) -> Outcome:
    """Run one fault in a lab of its own."""
    fault = FAULTS[name]
    with Lab(links=2, emulated=True) as lab:
        without = pings(lab, fault, count=count, interval=interval)
        lab.wire[0].clear()
        lab.wire[1].clear()
        lab.start_nodes()
        lab.await_links()
        outcome = Outcome(name, without, pings(lab, fault, count=count, interval=interval))
        lab.stop_nodes()
    return outcome


def pings(lab: Lab, fault: Fault, *, count: int = COUNT, interval: float = INTERVAL) -> Stream:
    """Ping over IPv4 and IPv6 at once under a fault; give both streams added up."""
    lab.wire[0].apply(fault.first)
    lab.wire[1].apply(fault.second)
    four = measure.ping(lab.a, lab.b, count=count, interval=interval)
    six = measure.ping(lab.a, lab.b, count=count, interval=interval, family=6)
    if fault.cut:
        time.sleep(count * interval / 2)
        lab.wire[0].cut()
    return together((four.result(), six.result()))


def together(streams: Iterable[Stream]) -> Stream:
    """Add streams up: counts are summed, of times the worst one is given."""
    streams = tuple(streams)
    return Stream(
        sent=sum(stream.sent for stream in streams),
        received=sum(stream.received for stream in streams),
        duplicated=sum(stream.duplicated for stream in streams),
        out_of_order=sum(stream.out_of_order for stream in streams),
        refused=sum(stream.refused for stream in streams),
        longest_gap=max(stream.longest_gap for stream in streams),
        rtt_p50=max((stream.rtt_p50 for stream in streams if stream.rtt_p50 is not None), default=None),
        rtt_p99=max((stream.rtt_p99 for stream in streams if stream.rtt_p99 is not None), default=None),
    )


def table(outcomes: Iterable[Outcome]) -> Table:
    """Show outcomes, one fault a row."""
    shown = Table(
        title="Pings over IPv4 and IPv6 while one of two links misbehaves", title_justify="left",
        caption="p99: round-trip time of the slowest hundredth; first without alagg, then with it",
        caption_justify="left",
    )
    shown.add_column("fault", no_wrap=True)
    shown.add_column("sent", justify="right")
    for which in ("without", "with"):
        for title in ("lost", "twice", "p99"):
            shown.add_column(f"{title}\n{which}", justify="right", no_wrap=True)
    shown.add_column("", no_wrap=True)
    for outcome in outcomes:
        shown.add_row(
            outcome.fault, str(outcome.with_alagg.sent),
            *_cells(outcome.without), *_cells(outcome.with_alagg),
            "[green]ok[/]" if outcome.passed else "[red]FAILED[/]",
        )
    return shown


def _cells(stream: Stream) -> tuple[str, str, str]:
    return str(stream.lost), str(stream.duplicated), milliseconds(stream.rtt_p99)


def milliseconds(seconds: float | None) -> str:
    """Write a time for people."""
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.{0 if seconds > 0.1 else 1}f} ms"
