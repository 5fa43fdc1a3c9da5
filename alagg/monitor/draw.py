"""Draws a node for a terminal of any width, without needing colour: every state is a word, every rate a number."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any, Final

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from alagg import verdict
from alagg.cli.view import duration, short
from alagg.control.counters import STATES
from alagg.monitor.rates import IN, OUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from alagg.monitor.rates import Rates

    Status = dict[str, Any]
    _Column = tuple[str, int, Callable[[Status], str]]

BARS: Final = "▁▂▃▄▅▆▇█"
ASCII_BARS: Final = "._-=+*#@"
"""For terminals that show no other characters."""
_LONGEST_NAME: Final = 16
"""Columns that a name takes at most."""
_RATE: Final = 8
"""Columns of a rate in digits."""
_LONGEST_HISTORY: Final = 40
_VERDICT: Final = 5
"""Lines of the verdict that are shown at most."""
_PEER_RATES: Final = (
    ("sent/s", "tx", "sent"),
    ("delivered/s", "rx", "delivered"),
    ("lost/s", "rx", "lost"),
    ("repairs out", "tx", "repaired"),
    ("repairs in", "rx", "repaired"),
)
"""Title, and which counter's growth stands below it."""


def headline(status: Status) -> str:
    """Say which node that is."""
    return (
        f"alagg {status.get('version', '?')}, {status.get('engine', '?')} engine, "
        f"up {duration(status.get('uptime_s', 0))}"
    )


def body(status: Status, rates: Rates, width: int, bars: str = BARS, *, worst_first: bool = False) -> Text:
    """Draw what is wrong, the links, and the peers.

    Args:
        status: the node's answer.
        rates: what it carries.
        width: columns that there are.
        bars: characters for a history, from the lowest to the highest.
        worst_first: whether the links go by their state, and not as in the configuration.
    """
    links = status.get("links", [])
    if worst_first:
        links = sorted(links, key=_badness, reverse=True)
    told = {f"  {link.get('name')}: {', '.join(verdict.faults(link))}" for link in links}
    lines = [line for line in verdict.lines(status) if line.plain not in told]  # each stands below its link
    more = [Text(f"  ... and {len(lines) - _VERDICT} more: see alagg status")] if len(lines) > _VERDICT else []
    parts = [*lines[:_VERDICT], *more, Text()]
    parts += _links(links, rates, width, bars, several=len(status.get("peers", ())) > 1)
    parts += [Text(), *_peers(status.get("peers", []), rates, width)]
    return Text("\n").join(parts)


def history(values: Sequence[float], width: int, bars: str) -> str:
    """Draw the newest values in so many columns, the newest at the right; the largest one has the highest bar."""
    shown = values[-width:] if width > 0 else ()
    top = max(shown, default=0.0)
    drawn = "".join(" " if value <= 0 else bars[min(int(value / top * len(bars)), len(bars) - 1)] for value in shown)
    return drawn.rjust(width)


def _badness(link: Status) -> tuple[int, float]:
    state = link.get("state")
    return STATES.index(state) if state in STATES else len(STATES), float(link.get("loss") or 0.0)


def _links(links: list[Status], rates: Rates, width: int, bars: str, *, several: bool) -> Iterator[Text]:
    columns = list(_columns(links, several=several))
    taken = sum(abs(size) + 1 for _, size, _ in columns)
    bar = min(max((width - taken - 2 * (_RATE + 2)) // 2, 0), _LONGEST_HISTORY)
    titles = " ".join(_cell(title, size) for title, size, _ in columns)
    way = _RATE + 1 + bar
    between = " " if taken + 2 * _RATE + 4 <= width else "\n  "
    yield Text(f"{titles}{between}{_cell('out bit/s', way)} in bit/s", "bold")
    for link in links:
        cells = " ".join(_cell(cell(link), size) for _, size, cell in columns)
        name = str(link.get("peer", "")), str(link.get("name", ""))
        ways = " ".join(_carried(rates.of_link(*name, way), bar, bars) for way in (OUT, IN))
        faults = verdict.faults(link)
        yield Text(f"{cells}{between}{ways}".rstrip(), "bold red" if faults else "")
        why = "; ".join(faults) or str(link.get("reason") or "")
        yield from (Text(f"  {line}") for line in textwrap.wrap(why, max(width - 2, 10)))


def _columns(links: list[Status], *, several: bool) -> Iterator[_Column]:
    """Give each column's title, its width (negative: numbers stand at the right), and what a link says there."""
    yield "link", _widest(links, "name"), _word("name")
    if several:
        yield "peer", _widest(links, "peer"), _word("peer")
    yield "state", 7, _word("state")
    yield "RTT ms", -6, lambda link: _measured(link, "rtt_ms", 1, ".2f")
    yield "loss %", -6, lambda link: _measured(link, "loss", 100, ".3g")
    if any(link.get("share") is not None for link in links):
        yield "share %", -7, lambda link: _measured(link, "share", 100, ".0f")


def _carried(values: Sequence[float], bar: int, bars: str) -> str:
    rate = short(values[-1]) if values else "-"
    return f"{rate:>{_RATE}} {history(values, bar, bars)}".ljust(_RATE + 1 + bar)


def _peers(peers: list[Status], rates: Rates, width: int) -> Iterator[Text]:
    known = [
        (title, side, key) for title, side, key in _PEER_RATES
        if any(key in peer.get(side, {}) for peer in peers)
    ]  # fmt: skip
    name = _widest(peers, "name")
    yield Text(" ".join([_cell("peer", name), *(f"{title:>11}" for title, _, _ in known)])[:width], "bold")
    for peer in peers:
        shown = str(peer.get("name", "?"))
        found = (rates.of_peer(shown, side, key) for _, side, key in known)
        numbers = (f"{'-' if rate is None else short(rate):>11}" for rate in found)
        yield Text(" ".join([_cell(shown, name), *numbers])[:width])


def _word(key: str) -> Callable[[Status], str]:
    return lambda link: str(link.get(key, "?"))


def _widest(rows: list[Status], key: str) -> int:
    longest = max((cell_len(str(row.get(key, "?"))) for row in rows), default=0)
    return min(max(longest, 4), _LONGEST_NAME)  # 4: the title's own


def _cell(text: str, size: int) -> str:
    """Make a text fill a cell; a negative size has it stand at the right."""
    if size < 0:
        return text.rjust(-size)
    return set_cell_size(text if cell_len(text) <= size else f"{set_cell_size(text, size - 1)}~", size)


def _measured(link: Status, key: str, factor: float, form: str) -> str:
    """Give what was measured; before a link went down it says nothing of now."""
    value = None if link.get("state") == "down" else link.get(key)
    return "-" if value is None else format(factor * value, form)
