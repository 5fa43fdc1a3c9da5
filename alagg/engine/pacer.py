"""Pacer: lets the frames of one link leave no faster than its rate, smoothly.

Time is the token: each frame moves the moment at which the next one may leave by what it takes at the rate. Who was
late, as timers are, may catch up with a little, so that no 10 ms carry more than 1.1 times, and no second more than
1.02 times of what the rate allows. Frames get their headers when they leave, since a link's numbers are in order.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alagg.engine.header import DATA, SIZE
from alagg.engine.sequence import MASK

if TYPE_CHECKING:
    from alagg.engine.gauge import Gauge
    from alagg.engine.link import Link

BACKLOG: Final = 0.005
"""Seconds of frames that a link has waiting at most; more would only grow old there."""
AHEAD: Final = 0.001
"""The same where the rate is measured: what is given late can still go another way."""
UNPACED: Final = 1 << 18
"""Bytes that wait at most on a link without a rate."""
CATCH_UP: Final = 0.001
"""Seconds of frames, the next one included, that may leave at once."""
SLOW: Final = 0.002
"""Seconds that a slow link, of whose frames few fit into 10 ms, may catch up with, or half a frame's time if less."""
FRAME: Final = 1514
"""Bytes of a full frame, as Ethernet has it."""
RETRY: Final = 0.001
"""Seconds until a port that was full is tried again."""


@dataclass(slots=True)
class Numbered:
    """A piece with its number, on its way to one link or several."""

    payload: bytes
    sequence: int
    piece: int
    last_piece: int
    checksum: int
    left: bool = False
    """Whether it has left on one of them."""


class Pacer:
    """What one link has been given and has not sent yet."""

    def __init__(self, link: Link, rate: float = 0.0, overhead: int = 14) -> None:
        """Take the link, bytes per second or 0 for no limit, and the bytes that each frame has before our header."""
        self.link = link
        self.rate = rate
        self.overhead = overhead
        self.limit = rate
        """What the configuration allows, bytes per second; 0 for anything."""
        self.gauge: Gauge | None = None
        """What is measured of the link, for schedulers that ask for it."""
        self.bytes = 0
        """Bytes that wait, with all their headers."""
        self._held: deque[Numbered] = deque()
        self._released: list[Numbered] = []
        """What lies in the link's queue, for its port."""
        self._numbers: list[int] = []
        """Their link sequences."""
        self._free_at = 0.0
        """When the next frame may leave."""
        self._counted = link.tx_bytes
        """What the link has sent, as far as it is counted here."""

    def backlog(self, now: float) -> float:
        """Give the seconds until a frame that is given now would leave; 0 without a rate."""
        if not self.rate:
            return 0.0
        return max(self._free_at - now, 0.0) + self.bytes / self.rate

    def has_room(self, now: float, limit: float = BACKLOG) -> bool:
        """Tell whether another frame would leave within `limit` seconds, or would be the only one that waits."""
        if not self.rate:
            return self.bytes < UNPACED
        return not self._held or self.backlog(now) < limit

    def follow(self, now: float) -> None:
        """Take the rate that was measured, as far as the configuration allows it."""
        if self.gauge is not None:
            pace = self.gauge.pace(now)
            self.rate = min(self.limit, pace) if self.limit else pace

    def can_take(self, now: float) -> bool:
        """Tell whether another frame would leave at once and not wait for long on the link, as it was measured."""
        gauge = self.gauge
        if gauge is None:
            return self.has_room(now)
        return self.has_room(now, AHEAD) and gauge.has_room(now, self.bytes)

    def hold(self, one: Numbered) -> None:
        """Take a piece."""
        self._held.append(one)
        self.bytes += self._size(one)

    def release(self, epoch: int, now: float) -> None:
        """Queue for the port what may leave by now."""
        link, rate = self.link, self.rate
        self._count_others()
        catch_up = max(CATCH_UP - FRAME / rate, min(FRAME / rate / 2, SLOW)) if rate else 0.0
        while self._held and (not rate or self._free_at <= now):
            one = self._held.popleft()
            size = self._size(one)
            self.bytes -= size
            if rate:
                self._free_at = max(self._free_at, now - catch_up) + size / rate
            length = len(one.payload)
            link.reserve([one.payload], length)
            link.write(DATA, epoch, link.lane, one.sequence, one.piece, one.last_piece, length, one.checksum)
            self._released.append(one)
            self._numbers.append((link.link_sequence - 1) & MASK)

    def settle(self, now: float) -> None:
        """Take back what the port had no room for: always the last ones. It is tried again in a moment."""
        released, self._released = self._released, []
        numbers, self._numbers = self._numbers, []
        link = self.link
        untaken = min(link.queued - link.taken, len(released)) if released else 0
        for one in reversed(released[len(released) - untaken :]):
            self._held.appendleft(one)
            self.bytes += self._size(one)
        for number, one in zip(numbers, released[: len(released) - untaken]):  # noqa: B905 - the first ones were taken
            one.left = True
            self._counted += len(one.payload) + SIZE
            if self.gauge is not None:
                self.gauge.send(number, len(one.payload) + SIZE, now)
        if untaken and link.open:
            link.tx_dropped_full -= untaken
            self._free_at = max(self._free_at, now + RETRY)

    def _count_others(self) -> None:
        """Count what left without asking: probes, and what nodes tell each other."""
        others, self._counted = self.link.tx_bytes - self._counted, self.link.tx_bytes
        if self.rate:
            self._free_at += others / self.rate

    def due(self, now: float) -> float:
        """Give the time at which `release` has something to do: not for each single frame of a fast link."""
        if not self._held:
            return float("inf")
        rate = self.rate
        if not rate:
            return max(self._free_at, now)
        return self._free_at + max(CATCH_UP - FRAME / rate, 0.0) / 2

    def take_back(self) -> list[Numbered]:
        """Give up all that waits: the link has gone."""
        held = list(self._held)
        self._held.clear()
        self.bytes = 0
        return held

    def _size(self, one: Numbered) -> int:
        return len(one.payload) + SIZE + self.overhead
