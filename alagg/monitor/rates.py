"""Rates: what links and peers carry a second, from one look at a node to the next, and how that was lately."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Status = Mapping[str, Any]
    Key = tuple[str, ...]
    """A peer's name; or that, a link's, and which way."""

KEPT: Final = 120
"""Looks that are remembered."""
OUT: Final = "tx_bytes"
IN: Final = "rx_bytes"
_OF_PEERS: Final = (
    ("tx", "sent"), ("rx", "delivered"), ("rx", "lost"), ("tx", "repaired"), ("rx", "repaired"),
)  # fmt: skip


class Rates:
    """The looks of late, of everything that a node has now."""

    def __init__(self) -> None:
        """Nothing has been seen yet."""
        self._counted: dict[Key, int] = {}
        self._rates: dict[Key, deque[float]] = {}
        self._seconds = 0.0

    def take(self, status: Status) -> None:
        """Look at a status; the node's own clock says how much time has passed since the last one.

        A node that was started anew counts from zero: its first look tells nothing.
        """
        seconds = float(status.get("uptime_s", 0.0))
        passed = seconds - self._seconds
        if passed == 0 and self._counted:
            return
        counted = dict(_counters(status))
        for gone in self._rates.keys() - counted.keys():
            del self._rates[gone]
        for key, value in counted.items():
            before = self._counted.get(key)
            if before is not None and passed > 0:
                self._rates.setdefault(key, deque(maxlen=KEPT)).append(max(value - before, 0) / passed)
        self._counted, self._seconds = counted, seconds

    def of_link(self, peer: str, link: str, way: str) -> Sequence[float]:
        """Give a link's bits a second, `OUT` or `IN`, the newest last; nothing before the second look."""
        return [8 * rate for rate in self._rates.get((peer, link, way), ())]

    def of_peer(self, peer: str, side: str, counter: str) -> float | None:
        """Give how much a counter of a peer has grown in a second; None where that is not known."""
        found = self._rates.get((peer, side, counter))
        return found[-1] if found else None


def _counters(status: Status) -> Iterator[tuple[Key, int]]:
    for link in _dicts(status.get("links")):
        for way in (OUT, IN):
            yield (str(link.get("peer", "")), str(link.get("name", "")), way), int(link.get(way, 0))
    for peer in _dicts(status.get("peers")):
        for side, counter in _OF_PEERS:
            if counter in peer.get(side, {}):
                yield (str(peer.get("name", "")), side, counter), int(peer[side][counter])


def _dicts(found: object) -> Iterable[dict[str, Any]]:
    return found if isinstance(found, list) else ()
