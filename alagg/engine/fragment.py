"""Split packets that are too big for a link, and rejoin their pieces.

The pieces of a packet carry consecutive sequences, so elimination and reordering treat them as packets of their
own; `piece` and `last_piece` say how they belong together. Links carry the pieces like any other payload: no IP
fragmentation takes part, and the packet arrives byte for byte.
"""

from __future__ import annotations

import itertools
from collections import OrderedDict
from typing import Final

from alagg.engine.header import MAX_PIECES
from alagg.engine.held import Held
from alagg.engine.sequence import MASK

MAX_PACKET: Final = 65_575
"""Bytes of the largest packet: an IPv6 header and the largest payload that it can say (RFC 8200, section 3)."""
MAX_PARTIAL: Final = 64
"""Packets whose pieces one lane collects at the same time; the oldest makes room for a new one."""
MAX_DONE: Final = 16
"""Packets that were put together and are kept for a moment; the oldest makes room."""
MAX_WAYS: Final = 8
"""Packets that the pieces of one can make, where some of them came in several forms."""
MAX_BYTES: Final = 16 << 20
"""Bytes of pieces that one lane keeps; the oldest packet makes room."""
PARTIAL_TIMEOUT: Final = 1.0
"""Seconds after which a packet that is still incomplete is given up."""

# The same again for C: other modules cannot see what the .pxd declares.
_PARTIAL_TIMEOUT: Final = PARTIAL_TIMEOUT
_MAX_WAYS: Final = MAX_WAYS
_MAX_BYTES: Final = MAX_BYTES
_MAX_PACKET: Final = MAX_PACKET
_MAX_PARTIAL: Final = MAX_PARTIAL
_MAX_DONE: Final = MAX_DONE


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

    def __init__(self, now: float) -> None:
        self.since = now
        self.pieces: dict[int, list[bytes]] = {}
        """By their number; several where they differ: one of them may be forged, and nobody can tell which."""
        self.ways = 1
        """In how many ways they can be put together."""
        self.new = 0
        """Pieces that are not part of a packet that was given yet."""
        self.size = 0
        """Bytes of all of them."""
        self.given = False
        """Whether a packet was put together of them."""

    def add(self, piece: Piece) -> bool:
        """Take a piece; False for one that is there already, or one way too many."""
        others = self.pieces.setdefault(piece.number, [])
        ways = self.ways // max(len(others), 1) * (len(others) + 1)
        if ways > _MAX_WAYS or piece.payload in others:
            return False
        others.append(piece.payload)
        self.ways = ways
        self.new += 1
        self.size += len(piece.payload)
        return True

    def packets(self, piece: Piece) -> list[bytes]:
        """Give the packets that this piece makes with the others, as many as there are ways; none is too large."""
        parts = [self.pieces[number] for number in range(piece.last + 1)]
        parts[piece.number] = [piece.payload]
        packets = [b"".join(way) for way in itertools.product(*parts)]
        return [packet for packet in packets if len(packet) <= _MAX_PACKET]


class Rejoiner:
    """Collects the pieces of one lane's packets; memory is bounded by `MAX_PARTIAL` packets and `MAX_BYTES`.

    Whoever can forge frames can forge a piece. It makes a packet of its own with the others then, which is not what
    the peer sent, and costs the true packet nothing: that is put together as well, whichever piece comes first. So
    what was put together is kept for a moment.
    """

    def __init__(self, store: Held | None = None) -> None:
        """Start with no pieces; `store` is what all buffers hold together."""
        self.joined = 0
        """Pieces of packets that were put together, beyond the first of each."""
        self.again = 0
        """Packets that were put together besides the first: a piece had come in several forms."""
        self.incomplete = 0
        """Pieces thrown away because the rest of their packet did not come."""
        self.inconsistent = 0
        """Pieces thrown away because there were too many forms of a packet, or all were too large."""
        self._partials: OrderedDict[tuple[int, int, int], _Partial] = OrderedDict()
        self._done: OrderedDict[tuple[int, int, int], _Partial] = OrderedDict()
        """Packets that were put together of late."""
        self._bytes = 0
        self._store = store or Held()

    @property
    def waiting(self) -> int:
        """Pieces that wait for the rest of their packet."""
        return sum(partial.new for partial in self._partials.values())

    def join(self, piece: Piece, now: float) -> list[bytes]:
        """Take one piece, each only once; give the packets that it completes: hardly ever more than one."""
        # Pieces that say another last one are another packet's.
        key = (piece.epoch, (piece.sequence - piece.number) & MASK, piece.last)
        partial = self._done.get(key) or self._partials.get(key)
        if partial is None:
            partial = self._begin(key, now)
        if not partial.add(piece):
            self.inconsistent += 1
            return []
        self._bytes += len(piece.payload)
        self._store.bytes += len(piece.payload)
        packets = self._complete(key, partial, piece) if len(partial.pieces) > piece.last else []
        while self._bytes > _MAX_BYTES or (self._bytes and self._store.is_too_much(self._bytes)):
            self._give_up_oldest()
        return packets

    def drop(self) -> None:
        """Throw all pieces away."""
        while self._done or self._partials:
            self._give_up_oldest()

    def _begin(self, key: tuple[int, int, int], now: float) -> _Partial:
        if len(self._partials) >= _MAX_PARTIAL:
            self._give_up(next(iter(self._partials)))
        partial = self._partials[key] = _Partial(now)
        return partial

    def _complete(self, key: tuple[int, int, int], partial: _Partial, piece: Piece) -> list[bytes]:
        packets = partial.packets(piece)
        if packets:
            first = not partial.given
            self.joined += partial.new - first
            self.again += len(packets) - first
            partial.given = True
        else:
            self.inconsistent += partial.new
        partial.new = 0
        if self._partials.pop(key, None) is not None:
            self._done[key] = partial
            if len(self._done) > _MAX_DONE:
                self._forget(next(iter(self._done)))
        return packets

    def deadline(self) -> float:
        """Give the time at which the oldest packet is given up: never, infinity, when no piece waits."""
        if not self._partials:
            return float("inf")
        oldest = next(iter(self._partials.values()))
        return oldest.since + _PARTIAL_TIMEOUT

    def expire(self, now: float) -> None:
        """Give up the packets that have been incomplete for too long, and forget those that were put together."""
        for key in _outlived(self._partials, now):
            self._give_up(key)
        for key in _outlived(self._done, now):
            self._forget(key)

    def _give_up_oldest(self) -> None:
        if self._done:
            self._forget(next(iter(self._done)))
        else:
            self._give_up(next(iter(self._partials)))

    def _give_up(self, key: tuple[int, int, int]) -> None:
        partial = self._partials.pop(key)
        self.incomplete += partial.new
        self._count_off(partial)

    def _forget(self, key: tuple[int, int, int]) -> None:
        self._count_off(self._done.pop(key))

    def _count_off(self, partial: _Partial) -> None:
        self._bytes -= partial.size
        self._store.bytes -= partial.size


def _outlived(partials: OrderedDict[tuple[int, int, int], _Partial], now: float) -> list[tuple[int, int, int]]:
    """Give the keys of packets whose first piece came too long ago."""
    keys = []
    for key, partial in partials.items():
        if partial.since + _PARTIAL_TIMEOUT > now:
            break
        keys.append(key)
    return keys
