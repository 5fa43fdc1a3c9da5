"""The receiving half of a stream: puts segments in order, and says how far the peer may send.

What is unread and what is out of order together stay within the window that was granted. It begins at 1 MB and
follows four times what the program can read in a round trip, by the fastest part of it, so that a burst after a long
wait shows what the links carry. Each byte that was really read makes it larger by `PROMISED` at the most, up to the
setting; nothing that the peer says does.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from alagg.stream.core.errors import ProtocolError

FIRST_WINDOW: Final = 1 << 20
"""Bytes granted at first."""
PROMISED: Final = 64
"""Bytes of the window for each one read in the last round trip, at the most."""
PARTS: Final = 16
"""Parts of a round trip, the fastest of which says how fast the program reads."""
SHORTEST: Final = 0.01
"""Seconds that a round trip counts for at least."""
MAX_SEGMENTS: Final = 4096
"""Segments that may wait for an earlier one: a rule of the protocol, since small ones cost more than their bytes."""
JOINED: Final = 1 << 14
"""Bytes up to which small pieces are put together, so that many of them cost no more than their bytes."""


class Assembly:
    """What has arrived, from where the program reads to where the peer may send."""

    def __init__(self, limit: int) -> None:
        """Begin at offset 0; the window never exceeds `limit` bytes."""
        self._max = limit
        self._window = min(FIRST_WINDOW, limit)
        self._pieces: deque[bytearray | bytes] = deque()
        self._early: dict[int, bytes] = {}
        self._early_bytes = 0
        self.whole = 0
        """All before this offset has arrived."""
        self.read_to = 0
        """All before this offset was read."""
        self.end: int | None = None
        """The number of FIN, once it is known."""
        self.granted = self._window
        """The greatest limit that the peer was told, or may be told next."""
        self.discarding = False
        """Whether nobody will read any more: all that comes counts as read."""
        self.duplicates = 0
        """Bytes that came more than once."""
        self._round_at = 0.0
        self._round_from = 0
        self._part_at = 0.0
        self._part_from = 0
        self._seen = 0

    @property
    def ready(self) -> int:
        """Give how many bytes can be read."""
        return self.whole - self.read_to - self.finished

    @property
    def finished(self) -> bool:
        """Tell whether all has arrived, FIN included."""
        return self.end is not None and self.whole > self.end

    def insert(self, offset: int, payload: bytes) -> None:
        """Take a segment.

        Raises:
            ProtocolError: `beyond-window`, `beyond-end`, `too-many-segments` or `overlap`.
        """
        last = offset + len(payload)
        if last > self.granted:
            raise ProtocolError("beyond-window", f"data up to {last}, where {self.granted} was allowed")
        if self.end is not None and last > self.end:
            raise ProtocolError("beyond-end", f"data up to {last} of a stream that ends at {self.end}")
        if offset == self.whole:
            self._append(payload)
            self._advance()
        elif last <= self.whole or offset in self._early:
            self.duplicates += len(payload)
        elif offset < self.whole:
            raise ProtocolError("overlap", f"a segment at {offset} that crosses {self.whole}")
        else:
            self._keep(offset, payload)

    def finish(self, offset: int) -> None:
        """Take FIN.

        Raises:
            ProtocolError: `end-moved`, `beyond-window`, or `beyond-end`, where data went further.
        """
        if self.end not in (None, offset):
            raise ProtocolError("end-moved", f"the end at {offset}, after {self.end}")
        if offset > self.granted:
            raise ProtocolError("beyond-window", f"the end at {offset}, where {self.granted} was allowed")
        if offset < self.whole - self.finished or any(offset < at + len(self._early[at]) for at in self._early):
            raise ProtocolError("beyond-end", f"the end at {offset}, before data that came")
        self.end = offset
        self._advance()

    def _keep(self, offset: int, payload: bytes) -> None:
        if len(self._early) >= MAX_SEGMENTS:
            raise ProtocolError("too-many-segments", f"more than {MAX_SEGMENTS} before one that is missing")
        if self._early_bytes + len(payload) > self.granted - self.whole:
            raise ProtocolError("overlap", "more bytes than there are offsets")
        self._early[offset] = payload
        self._early_bytes += len(payload)

    def _append(self, payload: bytes) -> None:
        self.whole += len(payload)
        if self.discarding:
            self.read_to = self.whole
        elif self._pieces and len(self._pieces[-1]) + len(payload) <= JOINED:
            last = self._pieces[-1]
            if isinstance(last, bytes):
                last = self._pieces[-1] = bytearray(last)
            last += payload
        else:
            self._pieces.append(payload)

    def _advance(self) -> None:
        while (payload := self._early.pop(self.whole, None)) is not None:
            self._early_bytes -= len(payload)
            self._append(payload)
        if self.end is not None and self.whole == self.end:
            self.whole += 1  # FIN's own number, so that its acknowledgement is one of a number as well

    def read(self, most: int) -> bytes:
        """Give up to `most` bytes in order; nothing where nothing is there."""
        pieces: list[bytes | bytearray] = []
        left = most
        while left > 0 and self._pieces:
            piece = self._pieces.popleft()
            if len(piece) > left:
                self._pieces.appendleft(piece[left:])
                piece = piece[:left]
            left -= len(piece)
            pieces.append(piece)
        self.read_to += most - left
        return bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)

    def discard(self) -> None:
        """Read nothing any more: what is there goes, and what comes is only counted."""
        self.discarding = True
        self._pieces.clear()
        self.read_to = self.whole - self.finished

    def grant(self, now: float, round_trip: float) -> bool:
        """Move the limit on; tell whether the peer should hear of it at once.

        Args:
            now: seconds.
            round_trip: of the slowest link that carries; 0 where it is not known.
        """
        self._widen(now, max(round_trip, SHORTEST))
        fresh = self.read_to + self._window
        if fresh - self.granted < self._window // 4:
            return False
        self.granted = fresh
        return True

    def _widen(self, now: float, round_trip: float) -> None:
        """See how fast the program reads, in each part of a round trip; waits at its end do not count."""
        part = round_trip / PARTS
        if self.read_to > self._seen:
            able = 4 * round_trip * (self.read_to - self._part_from) / max(now - self._part_at, part)
            most = PROMISED * (self.read_to - self._round_from)
            self._window = min(max(self._window, FIRST_WINDOW + int(min(able, most))), self._max)
            self._seen = self.read_to
        if now - self._part_at >= part:
            self._part_at, self._part_from = now, self.read_to
        if now - self._round_at >= round_trip:
            self._round_at, self._round_from = now, self.read_to
