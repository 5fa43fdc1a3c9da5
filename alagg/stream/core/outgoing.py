"""The sending half of a stream: what is written, cut into segments, and kept until the peer has it."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import TYPE_CHECKING

from alagg.stream.core.assembly import FIRST_WINDOW, MAX_SEGMENTS
from alagg.stream.core.errors import ProtocolError

if TYPE_CHECKING:
    from alagg.stream.core.link import Link


class Segment:
    """Some bytes of the stream under one number, the same on whichever link they go."""

    __slots__ = ("carrier", "data", "done", "end", "fin", "offset", "waiting")

    def __init__(self, offset: int, data: bytes, *, fin: bool = False) -> None:
        """Number some bytes; FIN has none, and takes one number."""
        self.offset = offset
        self.data = data
        self.fin = fin
        self.end = offset + len(data) + fin
        self.done = False
        """Whether the peer has it."""
        self.waiting = False
        """Whether it waits to be sent again."""
        self.carrier: Link | None = None
        """The link that it was given to last."""

    def __lt__(self, other: Segment) -> bool:
        """Order by number."""
        return self.offset < other.offset

    def acknowledge(self) -> None:
        """Take note that the peer has it, and forget the bytes."""
        self.done = True
        self.data = b""


class Outgoing:
    """All that was written and that the peer does not have yet."""

    def __init__(self, limit: int) -> None:
        """Begin at offset 0; at most `limit` bytes are sent beyond the oldest one that is unacknowledged."""
        self._max = limit
        self._written: deque[bytes | memoryview] = deque()
        self._sent: deque[Segment] = deque()
        self._again: list[Segment] = []
        self.unsent = 0
        """Bytes that were written and never sent."""
        self.next = 0
        """The number that the next new segment gets."""
        self.limit = FIRST_WINDOW
        """How far the peer lets us send; it can only grow, and before the peer says so it is what all grant."""
        self.ending = False
        """Whether FIN follows what was written."""
        self.fin_sent = False
        self.whole = 0
        """The peer has all before this number."""
        self.repeated = 0
        """Bytes that were sent again."""

    def write(self, data: bytes) -> None:
        """Take bytes to send."""
        self._written.append(data)
        self.unsent += len(data)

    @property
    def finished(self) -> bool:
        """Tell whether the peer has all, FIN included."""
        return self.fin_sent and not self._sent

    @property
    def unacknowledged(self) -> int:
        """Give the numbers from the oldest unacknowledged one to the newest one."""
        return self.next - (self._sent[0].offset if self._sent else self.next)

    def acknowledge(self, whole: int, limit: int) -> None:
        """Take what the peer has, and how far we may send.

        Raises:
            ProtocolError: `ack-beyond`, where it has what was never sent.
        """
        if whole > self.next:
            raise ProtocolError("ack-beyond", f"an acknowledgement of {whole}, where {self.next} was sent")
        self.limit = max(self.limit, limit)
        self.whole = max(self.whole, whole)
        self.sweep()

    def sweep(self) -> None:
        """Forget the oldest segments that the peer has."""
        sent = self._sent
        while sent and (sent[0].done or sent[0].end <= self.whole):
            segment = sent.popleft()
            segment.acknowledge()
            self.whole = max(self.whole, segment.end)

    def again(self, segment: Segment) -> None:
        """Have a segment sent again, the earliest ones first."""
        if not segment.done and not segment.waiting:
            segment.waiting = True
            heappush(self._again, segment)

    def repeat(self) -> Segment | None:
        """Give the earliest segment that waits to be sent again, and leave it there."""
        while self._again and self._again[0].done:
            heappop(self._again).waiting = False
        return self._again[0] if self._again else None

    def take_repeat(self) -> None:
        """Take away what `repeat` gave."""
        segment = heappop(self._again)
        segment.waiting = False
        self.repeated += len(segment.data)

    def room(self) -> int:
        """Give how many new bytes may be sent now."""
        if len(self._sent) >= MAX_SEGMENTS:
            return 0
        return max(min(self.limit - self.next, self._max - self.unacknowledged), 0)

    def has_fresh(self) -> bool:
        """Tell whether there is something new that may be sent now."""
        if self.unsent:
            return self.room() > 0
        return self.ending and not self.fin_sent and len(self._sent) < MAX_SEGMENTS

    def cut(self, most: int) -> Segment:
        """Take the next segment of at most `most` bytes, or FIN; only where `has_fresh`."""
        if not self.unsent:
            self.fin_sent = True
            return self._number(Segment(self.next, b"", fin=True))
        data = self._take(min(most, self.room()))
        self.unsent -= len(data)
        return self._number(Segment(self.next, data))

    def _number(self, segment: Segment) -> Segment:
        self.next = segment.end
        self._sent.append(segment)
        return segment

    def _take(self, most: int) -> bytes:
        written = self._written
        pieces: list[bytes | memoryview] = []
        while written and most > 0:
            piece = written.popleft()
            if len(piece) > most:
                # A view: the rest of a large piece is not copied once for each segment.
                view = memoryview(piece)
                written.appendleft(view[most:])
                piece = view[:most]
            most -= len(piece)
            pieces.append(piece)
        return b"".join(pieces)

    def abandon(self) -> None:
        """Forget all: nothing will be sent any more."""
        self._written.clear()
        self._sent.clear()
        self._again.clear()
        self.unsent = 0
