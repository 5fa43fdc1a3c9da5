"""Split packets that are too big for a link, and rejoin their pieces.

The pieces of a packet carry consecutive sequences, so elimination and reordering treat them as packets of their
own; `piece` and `last_piece` say how they belong together. Links carry the pieces like any other payload: no IP
fragmentation takes part, and the packet arrives byte for byte.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from alagg.engine.header import MAX_PIECES
from alagg.engine.sequence import MASK

MAX_PACKET: Final = 65_575
"""Bytes of the largest packet: an IPv6 header and the largest payload that it can say (RFC 8200, section 3)."""
MAX_PARTIAL: Final = 64
"""Packets whose pieces one lane collects at the same time; the oldest makes room for a new one."""
PARTIAL_TIMEOUT: Final = 1.0
"""Seconds after which a packet that is still incomplete is given up."""

# The same again for C: other modules cannot see what the .pxd declares.
_PARTIAL_TIMEOUT: Final = PARTIAL_TIMEOUT


def split(packet: bytes, size: int) -> list[bytes]:
    """Cut a packet into pieces of at most `size` bytes, as few and as equal as possible.

    Raises:
        ValueError: it would take more than `MAX_PIECES` pieces.
    """
    count = -(-len(packet) // size)
    if count > MAX_PIECES:
        raise ValueError(f"{len(packet)} bytes do not fit in {MAX_PIECES} pieces of {size}")
    step = -(-len(packet) // count)
    return [packet[start : start + step] for start in range(0, len(packet), step)]


class Piece:
    """One piece of a packet that was split."""

    def __init__(self, epoch: int, sequence: int, number: int, last: int, payload: bytes) -> None:
        """Take the frame's epoch and sequence, which piece it is, the number of the last one, and its bytes."""
        self.epoch = epoch
        self.sequence = sequence
        self.number = number
        self.last = last
        self.payload = payload

    def __len__(self) -> int:
        """Give the bytes of the payload."""
        return len(self.payload)


class _Partial:
    """The pieces of one packet so far."""

    def __init__(self, last_piece: int, now: float) -> None:
        self.last_piece = last_piece
        self.since = now
        self.pieces: dict[int, bytes] = {}
        self.size = 0


class Rejoiner:
    """Collects the pieces of one lane's packets; memory is bounded by `MAX_PARTIAL` packets."""

    def __init__(self) -> None:
        """Start with no pieces."""
        self.incomplete = 0
        """Pieces thrown away because the rest of their packet did not come."""
        self.inconsistent = 0
        """Pieces thrown away because they contradict the others of their packet."""
        self._partials: OrderedDict[tuple[int, int], _Partial] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Pieces that wait for the rest of their packet."""
        return sum(len(partial.pieces) for partial in self._partials.values())

    def join(self, piece: Piece, now: float) -> bytes | None:
        """Take one piece, each only once; give the whole packet when it was the last one missing."""
        key = (piece.epoch, (piece.sequence - piece.number) & MASK)
        partial = self._partials.get(key)
        if partial is None:
            if len(self._partials) >= MAX_PARTIAL:
                self._give_up(next(iter(self._partials)))
            partial = self._partials[key] = _Partial(piece.last, now)
        twice = piece.number in partial.pieces
        if piece.last != partial.last_piece or twice or partial.size + len(piece.payload) > MAX_PACKET:
            self.inconsistent += 1
            return None
        partial.pieces[piece.number] = piece.payload
        partial.size += len(piece.payload)
        if len(partial.pieces) <= piece.last:
            return None
        del self._partials[key]
        return b"".join([partial.pieces[index] for index in range(piece.last + 1)])

    def deadline(self) -> float:
        """Give the time at which the oldest packet is given up: never, infinity, when no piece waits."""
        if not self._partials:
            return float("inf")
        oldest = next(iter(self._partials.values()))
        return oldest.since + _PARTIAL_TIMEOUT

    def expire(self, now: float) -> None:
        """Give up the packets that have been incomplete for too long."""
        while self._partials:
            key, partial = next(iter(self._partials.items()))
            if partial.since + _PARTIAL_TIMEOUT > now:
                return
            self._give_up(key)

    def _give_up(self, key: tuple[int, int]) -> None:
        self.incomplete += len(self._partials.pop(key).pieces)
