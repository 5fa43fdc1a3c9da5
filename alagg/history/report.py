"""Report: says what happened in a time: how each link was, and what went wrong when, for how long, and why."""

from __future__ import annotations

import statistics
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from alagg.cli.view import duration, short
from alagg.history.look import CHANGED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    History = Mapping[str, Any]

WELL: Final = ("up", "standby")
_TITLES: Final[tuple[str, ...]] = (
    "link", "peer", "up", "RTT ms", "worst", "loss", "worst", "out bit/s", "most", "in bit/s", "most",
)  # fmt: skip
MAX_LINES: Final = 200
"""Things that happened which are told, the newest."""


class Happening(NamedTuple):
    """Something that happened, or a fault from its beginning to its end."""

    begin: float
    text: str
    seconds: float | None = None
    """How long a fault took; None for what has no length, or has not ended."""


def lines(history: History, zone: tzinfo | None = None) -> list[str]:
    """Put an answer of `Store.query` in lines; times are those of the zone."""
    found = list(happenings(history))
    told = [_told(one, zone) for one in found[-MAX_LINES:]]
    if len(found) > MAX_LINES:
        told.insert(0, f"({len(found) - MAX_LINES} more before; --json tells them)")
    return [
        f"from {_time(history['since'], zone)} to {_time(history['until'], zone)}",
        "",
        *_links(history["links"]),
        "",
        *(told or ["nothing happened"]),
    ]


def happenings(history: History) -> Iterator[Happening]:
    """Give what happened, in order; a link's fault is one thing, from the first bad state to the next good one."""
    began: dict[tuple[str, str], tuple[float, list[str]]] = {}
    found: list[Happening] = []
    for event in history["events"]:
        if event["kind"] != CHANGED:
            found.append(Happening(event["time"], event["text"]))
            continue
        link = (event["peer"], event["link"])
        if event.get("state") in WELL:
            if link in began:
                since, texts = began.pop(link)
                found.append(Happening(since, _together(texts), event["time"] - since))
        else:
            began.setdefault(link, (event["time"], []))[1].append(event["text"])
    found += [Happening(since, f"{_together(texts)}; that has not ended") for since, texts in began.values()]
    yield from sorted(found, key=lambda one: one.begin)


def _together(texts: list[str]) -> str:
    """Say what became of a link: its first state, and how bad it got."""
    different = list(dict.fromkeys(texts))
    return different[0] if len(different) == 1 else f"{different[0]}; then {different[-1].partition(' is ')[2]}"


def _told(one: Happening, zone: tzinfo | None) -> str:
    took = "" if one.seconds is None else f" ({duration(one.seconds) if one.seconds >= 1 else 'under a second'})"
    return f"{_time(one.begin, zone)}  {one.text}{took}"


def _time(seconds: float, zone: tzinfo | None) -> str:
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M:%S")


def _links(links: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    rows = [_TITLES, *(_row(link) for link in links)]
    if len(rows) == 1:
        yield "no link was seen"
        return
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (text.ljust(width) if place < 2 else text.rjust(width) for place, (text, width) in enumerate(
            zip(row, widths, strict=True)))  # fmt: skip
        yield "  ".join(cells).rstrip()


def _row(link: Mapping[str, Any]) -> tuple[str, ...]:
    rtt, loss = _known(link["rtt_ms"]), _known(link["loss"])
    return (
        link["name"], link["peer"], _percent(_mean(_known(link["up"]))),
        *(f"{value:.2f}" if value is not None else "-" for value in (_median(rtt), max(rtt, default=None))),
        *(_percent(value) for value in (_mean(loss), max(loss, default=None))),
        *_rate(link["tx_rate_bps"]), *_rate(link["rx_rate_bps"]),
    )  # fmt: skip


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: list[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _median(values: list[float]) -> float | None:
    return statistics.median(values) if values else None


def _percent(value: float | None) -> str:
    if value is None:
        return "-"
    # A link that was down for a second of a day was not up all the time.
    return f"{min(100 * value, 99.99) if value < 1 else 100:.4g} %"


def _rate(values: Iterable[float | None]) -> tuple[str, str]:
    known = _known(values)
    return (short(statistics.fmean(known)), short(max(known))) if known else ("-", "-")
