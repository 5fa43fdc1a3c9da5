"""Draws a node's status as tables: the links with what is wrong with them first, then every packet's fate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Status = dict[str, Any]
"""The node's answer, or a part of it, as it came."""

_SUSPICIOUS_LOSS: Final = 0.01
"""Share of lost frames from which a link is called bad."""
_MIN_WIDTH: Final = 120
"""Columns that are used even where the terminal has fewer."""
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
_LINK_FAULTS: Final = {
    "tx_dropped_full": "frames did not fit in",
    "rx_dropped": "frames came faster than they were read",
    "malformed": "frames arrived damaged",
}
"""Counters that speak against a link, and what they say. They start at zero with the node and never go back."""
_LINK_SHOWN: Final = frozenset((
    "name", "peer", "type", "interface", "mac", "state", "reason", "mtu", "rtt_ms", "loss",
    "tx_frames", "tx_bytes", "rx_frames", "rx_bytes", "rx_expected", "sends_by", "sends_by_reason", *_LINK_FAULTS,
))  # fmt: skip


def show(status: Status, rates: Mapping[str, tuple[float, float]], console: Console | None = None) -> None:
    """Print a status.

    Args:
        status: the node's answer.
        rates: bits per second out and in, by link.
        console: where to print; by default standard output.
    """
    console = console or Console()
    # A line that the terminal folds reads better than a number that has lost its end.
    console.width = max(console.width, _MIN_WIDTH) if console.is_terminal else _PLAIN_WIDTH
    links, peers = status.get("links", []), status.get("peers", [])
    for part in (
        *(_headline(status), *_verdict(links)),
        *("", _links(links, rates, several=len(peers) > 1)),
        *("", _peers(peers), ""),
        *((_workers(status["workers"]), "") if "workers" in status else ()),
        *(Text(line) for line in _remarks(status)),
    ):
        console.print(part, highlight=False, soft_wrap=isinstance(part, Text))


def faults(link: Status) -> list[str]:
    """Say what is wrong with a link; nothing when it is well."""
    found = []
    if link.get("state") != "up":
        found.append(str(link.get("reason") or f"is {link.get('state', 'in an unknown state')}"))
    elif link.get("reason"):
        found.append(str(link["reason"]))
    if (link.get("loss") or 0) >= _SUSPICIOUS_LOSS:
        found.append(f"loses {_percent(link['loss'])}")
    for key, words in _LINK_FAULTS.items():
        if link.get(key):
            found.append(f"{_count(link[key])} {words}")
    return found


def _headline(status: Status) -> Text:
    return Text(
        f"alagg {status.get('version', '?')}, {status.get('engine', '?')} engine, pid {status.get('pid', '?')}, "
        f"up {_duration(status.get('uptime_s', 0))}"
    )


def _verdict(links: list[Status]) -> list[Text]:
    """Give one line for all, and one for each bad link."""
    bad = [Text(f"  {link['name']}: {', '.join(faults(link))}", "bold red") for link in links if faults(link)]
    if not bad:
        return [Text(f"no link is bad (of {len(links)})", "green")]
    return [Text(f"{len(bad)} of {len(links)} links {'is' if len(bad) == 1 else 'are'} bad", "bold red"), *bad]


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
            _count(link.get("tx_frames", 0)),
            _short(out),
            _count(link.get("rx_frames", 0)),
            _short(into),
        )
    return table


def _peers(peers: list[Status]) -> Table:
    table = _table(("peer",), (title for title, _, _ in _PEER_COLUMNS))
    for peer in peers:
        counters = (_count(peer.get(side, {}).get(key, 0)) for _, side, key in _PEER_COLUMNS)
        table.add_row(Text(str(peer.get("name", "?"))), *counters)
    return table


def _workers(workers: list[Status]) -> Table:
    table = _table(("worker",), (title for title, _, _ in _WORKER_COLUMNS))
    for number, worker in enumerate(workers):
        peers = worker.get("peers", ())
        sums = (sum(peer.get(side, {}).get(key, 0) for peer in peers) for _, side, key in _WORKER_COLUMNS)
        table.add_row(str(number), *map(_count, sums))
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
    counted = [f"{key.replace('_', ' ')} {_count(value)}" for key, value in _flat(others) if value]
    return [f"{place}: {', '.join(counted)}"] if counted else []


def _flat(counters: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Give counters in one list, those of inner tables with their table's name before theirs."""
    pairs: list[tuple[str, Any]] = []
    for key, value in counters.items():
        pairs += _flat(value, f"{prefix}{key} ") if isinstance(value, dict) else [(prefix + key, value)]
    return pairs


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _measure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _short(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.1f} {unit}"
    return f"{number:.0f}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{value} {unit}" for value, unit in ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")) if value]
    return " ".join(parts[:2]) or "0 s"
