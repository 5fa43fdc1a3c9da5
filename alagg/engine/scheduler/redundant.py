"""Redundant: every packet on all links, or on the `copies` best of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.scheduler.base import Run, Scheduler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link

ALIKE: Final = 1.25
"""Links whose round trips are within this ratio of the shortest, or ..."""
ALIKE_SECONDS: Final = 0.001
"""... so many seconds, are as good as that one, and take turns."""

# The same again for C: other modules cannot see what the .pxd declares.
_ALIKE: Final = ALIKE
_ALIKE_SECONDS: Final = ALIKE_SECONDS


class Redundant(Scheduler):
    """Sends `copies` of each packet, each on another link (IEEE 802.1CB, replication)."""

    def __init__(self, copies: int | None) -> None:
        """Take the number of copies, 1 or more; None for one on every link."""
        super().__init__(copies)
        self._first = 0

    def schedule(self, payloads: list[bytes], links: Sequence[Link], now: float) -> list[Run]:  # noqa: ARG002
        """Choose all links, or the best ones; among those that are alike each batch starts one link further."""
        if self.copies is None or self.copies >= len(links):
            return [Run(len(payloads), tuple(links))]
        first = self._first % len(links)
        self._first = first + 1
        return [Run(len(payloads), self._best((*links[first:], *links[:first])))]

    def _best(self, links: tuple[Link, ...]) -> tuple[Link, ...]:
        """Choose those that answer before those that do not, with room before full ones, fast before slow ones."""
        shortest = float("inf")
        for link in links:
            if link.answering and not link.full and link.rtt < shortest:
                shortest = link.rtt
        alike = shortest * _ALIKE + _ALIKE_SECONDS
        ranked = []
        for place in range(len(links)):
            link = links[place]
            ranked.append((not link.answering, link.full, 0.0 if link.rtt <= alike else link.rtt, place))
            link.full = False
        ranked.sort()
        return tuple([links[place] for _, _, _, place in ranked[: self.copies]])
