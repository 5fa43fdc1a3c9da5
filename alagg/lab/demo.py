"""The demonstration: real traffic over two links, one of which is pulled, without alagg and with it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from alagg.columns import fit
from alagg.lab import measure
from alagg.lab.faults import milliseconds
from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from alagg.lab.measure import Family, Running, Stream, Transfer

SECONDS: Final = 7.0
PULLED: Final = 2.0
PLUGGED: Final = 4.5
"""How long the traffic flows, and when in it the cable is pulled and plugged in again."""

_PING: Final = 0.01
_DATAGRAM: Final = 0.005
_TRANSFER: Final = 20e6
"""The pace of each TCP transfer, bits per second: it keeps going while the cable is out, and starves no other."""


@dataclass(frozen=True)
class Round:
    """What became of all traffic in one run, by the protocol's name."""

    streams: dict[str, Stream]
    transfers: dict[str, Transfer]

    @property
    def harmed(self) -> bool:
        """Whether anything was lost, repeated or damaged."""
        return any(stream.lost or stream.duplicated for stream in self.streams.values()) or not all(
            transfer.intact for transfer in self.transfers.values()
        )


def run(console: Console) -> bool:
    """Run the demonstration and show what happened; tell whether alagg kept everything whole."""
    console.print(
        "Two hosts, two links between them. Over IPv4 and IPv6 at once: pings, UDP, and TCP transfers.\n"
        f"After {PULLED:g} s the cable of eth0, which carries the addresses, is pulled; "
        f"at {PLUGGED:g} s it is plugged in again.\n",
        highlight=False, soft_wrap=True,
    )
    with Lab(links=2) as lab:
        console.print(f"[bold]1. Without alagg[/]: everything runs over eth0 ... (about {SECONDS + 5:g} s)")
        without = traffic(lab, console.print)
        lab.start_nodes()
        lab.await_links()
        console.print(f"[bold]2. With alagg[/] on both hosts: over eth0 and eth1 ... (about {SECONDS + 1:g} s)")
        joined = traffic(lab, console.print)
        lab.stop_nodes()
    console.print()
    for shown in fit(table(without, joined), console):
        console.print(shown)
    return verdict(console, without, joined)


def verdict(console: Console, without: Round, joined: Round) -> bool:
    """Say in plain words what the rounds show; tell whether alagg passed."""
    problem = ""
    if not without.harmed:
        problem = "the pulled cable harmed nothing even without alagg, so this proves nothing."
    elif joined.harmed:
        problem = "with alagg something was lost, repeated or damaged; see the table."
    if problem:
        console.print(f"[red]FAILED[/]: {problem}", soft_wrap=True)
        return False
    lost = sum(stream.lost for stream in without.streams.values())
    sent = sum(stream.sent for stream in without.streams.values())
    stall = max(transfer.longest_stall for transfer in without.transfers.values())
    console.print(
        f"[green]Passed[/]: the pulled cable cost {lost} of {sent} messages without alagg, and TCP stood still for "
        f"{stall:.1f} s.\nWith alagg every message arrived exactly once, and the TCP transfers have equal SHA-256 "
        "sums on both sides.",
        highlight=False, soft_wrap=True,
    )
    return True


def traffic(lab: Lab, say: Callable[[str], None]) -> Round:
    """Let all traffic flow while the cable of link 0 is pulled and plugged in again."""
    count = int(SECONDS / _PING)
    datagrams = int(SECONDS / _DATAGRAM)
    size = int(_TRANSFER / 8 * SECONDS)
    families: dict[str, Family] = {"IPv4": 4, "IPv6": 6}
    with ExitStack() as running:
        streams: dict[str, Running[Stream]] = {}
        transfers: dict[str, Running[Transfer]] = {}
        for name, family in families.items():
            ping = measure.ping(lab.a, lab.b, count=count, interval=_PING, family=family)
            udp = measure.stream(lab.a, lab.b, count=datagrams, interval=_DATAGRAM, family=family)
            tcp = measure.transfer(lab.b, lab.a, size=size, rate=_TRANSFER, family=family)
            for one in (ping.stop, udp.stop, tcp.stop):
                running.callback(one)
            streams |= {f"ping {name}": ping, f"UDP {name}": udp}
            transfers[f"TCP {name}"] = tcp
        pull(lab, say)
        return Round(
            {name: one.result() for name, one in streams.items()},
            {name: one.result() for name, one in transfers.items()},
        )


def pull(lab: Lab, say: Callable[[str], None]) -> None:
    """Pull the cable of link 0 in the middle of the traffic and plug it in again."""
    time.sleep(PULLED)
    lab.wire[0].unplug()
    say("   the cable of eth0 is out")
    time.sleep(PLUGGED - PULLED)
    lab.wire[0].plug()
    say("   and in again")


def table(without: Round, joined: Round) -> Table:
    """Show both rounds side by side."""
    shown = Table(
        title="What the pulled cable did", title_justify="left", caption_justify="left",
        caption="lost, twice: messages, or bytes of TCP; gap: the longest silence; first without alagg, then with it",
    )
    shown.add_column("traffic")
    shown.add_column("sent", justify="right")
    for which in ("without", "with"):
        for title in ("lost", "twice", "gap"):
            shown.add_column(f"{title}\n{which}", justify="right", no_wrap=True)
    for name, stream in joined.streams.items():
        shown.add_row(name, str(stream.sent), *_stream(without.streams[name]), *_stream(stream))
    for name, transfer in joined.transfers.items():
        sent = f"{transfer.sent / 1e6:.1f} MB"
        shown.add_row(name, sent, *_transfer(without.transfers[name]), *_transfer(transfer))
    return shown


def _stream(stream: Stream) -> tuple[str, str, str]:
    return str(stream.lost), str(stream.duplicated), milliseconds(stream.longest_gap)


def _transfer(transfer: Transfer) -> tuple[str, str, str]:
    missing = transfer.sent - transfer.received
    lost = str(missing) if transfer.intact or missing else "[red]damaged[/]"
    return lost, "-", milliseconds(transfer.longest_stall)
