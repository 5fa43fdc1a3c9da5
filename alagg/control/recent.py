"""Recent: what happened on each link in the last minute, beside counters that only grow from the node's start.

A status that is asked for once has nothing to compare with; so the worker looks at the counters of a few links now
and then, however many there are, and keeps the looks of a minute.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from alagg.engine.link import Link
    from alagg.ports.base import Port

    PortOf = Callable[[Link], Port | None]

PERIOD: Final = 60.0
"""Seconds that are looked back on; the oldest look is that old at least, and `PAUSE` more at most."""
PAUSE: Final = 5.0
"""Seconds between two looks at the same link."""
AT_ONCE: Final = 16
"""Links that one call looks at: a small part of a millisecond."""


class Look(NamedTuple):
    """A link's counters at one time."""

    seconds: float
    """The time of the look, in seconds."""
    tx_frames: int
    tx_dropped_full: int
    rx_frames: int
    rx_dropped: int
    malformed: int


class Recent:
    """The looks of the last minute, by link."""

    def __init__(self) -> None:
        """Nothing has been seen yet."""
        self._looks: dict[Link, deque[Look]] = {}
        self._waiting: list[Link] = []

    def look(self, links: Mapping[Link, object], port_of: PortOf, now: float) -> None:
        """Look at the next few links; `links` are all there are now."""
        if not self._waiting:
            self._waiting = list(links)
            for gone in [link for link in self._looks if link not in links]:
                del self._looks[gone]
        for link in self._waiting[-AT_ONCE:]:
            if link in links:
                port = port_of(link)
                self._keep(link, _look(link, {} if port is None else port.counters(), now))
        del self._waiting[-AT_ONCE:]

    def since(self, link: Link, counters: Mapping[str, int], now: float) -> dict[str, float]:
        """Give how much each counter has grown in the last minute, and how many seconds that are.

        Args:
            link: the link.
            counters: those of its port.
            now: the time in seconds.
        """
        looks = self._looks.get(link)
        found = _look(link, counters, now)
        first = looks[0] if looks else found
        grown = [value - before if value > before else 0 for value, before in zip(found, first, strict=True)]
        grown[0] = round(grown[0], 1)
        return dict(zip(Look._fields, grown, strict=True))

    def _keep(self, link: Link, found: Look) -> None:
        looks = self._looks.setdefault(link, deque())
        if looks and found.seconds < looks[-1].seconds + PAUSE:
            return
        if looks and _smaller(found, looks[-1]):  # it counts anew: another interface
            looks.clear()
        looks.append(found)
        while len(looks) > 1 and looks[1].seconds <= found.seconds - PERIOD:
            looks.popleft()


def _look(link: Link, counters: Mapping[str, int], now: float) -> Look:
    return Look(
        now, link.tx_frames, link.tx_dropped_full, link.rx_frames, counters.get("rx_dropped", 0),
        sum(link.malformed.values()),
    )  # fmt: skip


def _smaller(one: Iterable[float], other: Iterable[float]) -> bool:
    return any(value < before for value, before in zip(one, other, strict=True))
