"""The path MTU (RFC 8899): how large a frame reaches the other side of a link, found by probes of many sizes.

Now and then a probe is as large as the interface allows. When such probes stay without an answer while small ones are
answered, probes of several sizes at once find the largest that arrives, in a few round trips.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.header import COOKIE_SIZE, SIZE

if TYPE_CHECKING:
    from alagg.engine.link import Link

SMALLEST: Final = SIZE + COOKIE_SIZE
"""Bytes of the smallest probe, as a frame."""
FLOOR: Final = 576
"""Bytes that every path is taken to carry (RFC 1122, section 3.3.3): the search ends there."""
EVERY: Final = 10
"""One probe in so many is as large as it can be."""
LOST: Final = 3
"""Large probes without an answer, small ones being answered, after which the path is searched."""
STEPS: Final = 8
"""Sizes that are tried at once."""
GRAIN: Final = 1
"""Bytes to which the size is found."""
AGAIN: Final = 10.0
"""Seconds after which a narrow path is tried at its full size again; twice as long after each try in vain."""
AGAIN_AT_LAST: Final = 600.0
"""The longest such time (PMTU_RAISE_TIMER, RFC 8899, section 5.1.1): each try is a lost frame."""


class PathMtu:
    """Finds the largest frame that a link carries; the link's `path_mtu` says it."""

    def __init__(self, link: Link) -> None:
        """Suppose that it carries what its interface takes."""
        self._link = link
        self._count = 0
        self._lost = 0
        """Large probes without an answer."""
        self._small = 0
        """Small probes that were answered since the first one of these, or the last step of the search."""
        self._low = self._high = 0
        """While the path is searched: what arrives, and what does not; else 0."""
        self._asked_at = float("-inf")
        """When the last sizes were tried, or the full one was."""
        self._step = 1
        self._again = AGAIN
        """Seconds after which the full size is tried again."""

    def sizes(self, now: float, patience: float) -> list[int]:
        """Give the sizes of the probes to send now, as frames in bytes.

        Args:
            now: the time in seconds.
            patience: seconds within which an answer comes if it comes.
        """
        if self._high:
            return self._search(now, patience)
        self._count += 1
        if self._link.path_mtu and now - self._asked_at >= self._again:
            self._asked_at, self._again = now, min(2 * self._again, AGAIN_AT_LAST)
            return [SMALLEST, self._link.mtu]
        if self._lost >= LOST and self._small >= LOST:
            self._low, self._high = min(FLOOR, self._link.room - 1), self._link.room + 1
            return self._try(now)
        if (self._lost and self._small) or self._count % EVERY == 1:  # else nobody answers, whatever the size
            if not self._lost:
                self._small = 0
            self._lost += 1
            return [SMALLEST, self._link.room]
        return [SMALLEST]

    def answered(self, size: int) -> None:
        """Take the answer to a probe of a size."""
        if size <= SMALLEST:
            self._small += 1
            return
        self._lost = self._small = 0
        if size >= self._link.mtu:
            self._link.path_mtu = self._low = self._high = 0
            self._again = AGAIN
        elif self._high:
            self._low = max(self._low, size)
        elif self._link.path_mtu:
            self._link.path_mtu = max(self._link.path_mtu, size)

    def interrupt(self) -> None:
        """Give the search up, and what speaks for one: nobody answers, whatever the size."""
        self._low = self._high = self._lost = self._small = 0

    def doubt(self) -> None:
        """Search at once: somebody says that large frames do not arrive. Only what probes find counts."""
        if not self._high:
            self._lost = self._small = LOST

    def forget(self) -> None:
        """Begin anew: the interface has another MTU, or the link leads another way."""
        self.interrupt()
        self._link.path_mtu = self._count = 0
        self._again = AGAIN

    def _search(self, now: float, patience: float) -> list[int]:
        """Wait for the answers to what was tried; then look more closely between what arrives and what does not."""
        if now - self._asked_at < patience or not (self._small or self._low > FLOOR):
            return [SMALLEST]
        self._high = min(self._high, self._low + self._step)
        self._link.path_mtu = self._low
        if self._high - self._low <= GRAIN:
            self._low = self._high = self._lost = self._small = 0
            return [SMALLEST]
        return self._try(now)

    def _try(self, now: float) -> list[int]:
        self._asked_at, self._small = now, 0
        self._step = max((self._high - self._low) // STEPS, 1)
        return [SMALLEST, *range(self._low + self._step, self._high, self._step)]
