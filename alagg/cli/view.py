"""Draws a node's status as tables: the links with what is wrong with them first, then every packet's fate."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from alagg import verdict
from alagg.columns import fit
from alagg.verdict import Status, count, faults

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_PLAIN_WIDTH: Final = 1000
"""Columns for output that goes to a file or a program."""
_PEER_COLUMNS: Final = (
    ("captured", "tx", "captured"),
    ("sent", "tx", "sent"),
    ("passed", "rx", "passed"),
    ("discarded", "rx", "discarded"),
    ("out of order", "rx", "out_of_order"),
    ("rogue", "rx", "rogue"),
    ("lost", "rx", "lost"),
    ("resets", "rx", "resets"),
)
_PEER_SHOWN: Final = frozenset(key for _, _, key in _PEER_COLUMNS)
_WORKER_COLUMNS: Final = _PEER_COLUMNS[:6]
"""What a worker's row shows, summed over its peers; it tells how evenly the flows are shared."""
_LINK_SHOWN: Final = frozenset((
    "name", "peer", "type", "interface", "mac", "state", "reason", "mtu", "rtt_ms", "loss",
    "tx_frames", "tx_bytes", "rx_frames", "rx_bytes", "rx_expected", "sends_by", "sends_by_reason", "recent",
    "path_mtu", "jitter_ms", "tx_loss", "rate_bps", "cap_bytes", "cap_until",
))  # fmt: skip


def show(status: Status, rates: Mapping[str, tuple[float, float]], console: Console | None = None) -> None:
    """Print a status.

    Args:
        status: the node's answer.
        rates: bits per second out and in, by link.
        console: where to print; by default standard output.
    """
    console = console or Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PLAIN_WIDTH  # a program reads it, or a pager: a row stays a line
    links, peers = status.get("links", []), status.get("peers", [])
    for part in (
        *(_headline(status), *verdict.lines(status)),
        *("", *fit(_links(links, rates, several=len(peers) > 1), console)),
        *("", *fit(_peers(peers), console), ""),
        *((*fit(_workers(status["workers"]), console), "") if "workers" in status else ()),
        *(Text(line) for line in _remarks(status)),
    ):
        console.print(part, highlight=False, soft_wrap=isinstance(part, Text))


def _headline(status: Status) -> Text:
    return Text(
        f"alagg {status.get('version', '?')}, {status.get('engine', '?')} engine, pid {status.get('pid', '?')}, "
        f"up {duration(status.get('uptime_s', 0))}"
    )


def _links(links: list[Status], rates: Mapping[str, tuple[float, float]], *, several: bool) -> Table:
    names = ("name", "peer", "interface") if several else ("name", "interface")
    table = _table(("link", *names[1:], "state"), ("RTT ms", "loss %", "sent", "bit/s", "received", "bit/s"))
    for link in links:
        out, into = rates.get(link["name"], (0.0, 0.0))
        # What was measured before a link went down says nothing of it now.
        measured = link if link.get("state") == "up" else {}
        table.add_row(
            *(Text(str(link.get(key, "?"))) for key in names),
            Text(str(link.get("state", "?")), "green" if not faults(link) else "bold red"),
            _measure(measured.get("rtt_ms"), ".2f"),
            _measure(None if measured.get("loss") is None else 100 * measured["loss"], ".3g"),
            count(link.get("tx_frames", 0)),
            short(out),
            count(link.get("rx_frames", 0)),
            short(into),
        )
    return table


def _peers(peers: list[Status]) -> Table:
    table = _table(("peer",), (title for title, _, _ in _PEER_COLUMNS))
    for peer in peers:
        counters = (count(peer.get(side, {}).get(key, 0)) for _, side, key in _PEER_COLUMNS)
        table.add_row(Text(str(peer.get("name", "?"))), *counters)
    return table


def _workers(workers: list[Status]) -> Table:
    table = _table(("worker",), (title for title, _, _ in _WORKER_COLUMNS))
    for number, worker in enumerate(workers):
        peers = worker.get("peers", ())
        sums = (sum(peer.get(side, {}).get(key, 0) for peer in peers) for _, side, key in _WORKER_COLUMNS)
        table.add_row(str(number), *map(count, sums))
    return table


def _table(words: Iterable[str], numbers: Iterable[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for word in words:
        table.add_column(word, no_wrap=True)
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _remarks(status: Status) -> list[str]:
    """Give one line for each place that counted something else: drops by reason, what the edges saw."""
    found = []
    for peer in status.get("peers", ()):
        found.append(f"peer {peer.get('name', '?')}: {', '.join(map(str, peer.get('destinations', ())))}")
        for side, words in (("tx", "out"), ("rx", "in")):
            found += _remark(f"peer {peer.get('name', '?')}, {words}", peer.get(side, {}), _PEER_SHOWN)
    for link in status.get("links", ()):
        if way := link.get("sends_by"):
            found.append(f"link {link['name']}: sends by {way.upper()}: {link.get('sends_by_reason', '')}")
        found += _remark(f"link {link['name']}", link, _LINK_SHOWN)
    for place in ("capture", "injector", "drops"):
        found += _remark(place, status.get(place, {}))
    return found


def _remark(place: str, counters: Mapping[str, Any], shown: Collection[str] = ()) -> list[str]:
    """Name everything in a table of counters that is not zero and not shown elsewhere."""
    others = {key: value for key, value in counters.items() if key not in shown}
    counted = [f"{key.replace('_', ' ')} {count(value)}" for key, value in _flat(others) if value]
    return [f"{place}: {', '.join(counted)}"] if counted else []


def _flat(counters: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Give counters in one list, those of inner tables with their table's name before theirs."""
    pairs: list[tuple[str, Any]] = []
    for key, value in counters.items():
        pairs += _flat(value, f"{prefix}{key} ") if isinstance(value, dict) else [(prefix + key, value)]
    return pairs


def _measure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def short(number: float) -> str:
    """Write a rate in few characters."""
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f}"


def duration(seconds: float) -> str:
    """Write a time for people, in its two largest units."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{value} {unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")) if value]
    return " ".join(parts[:2]) or "0 s"
