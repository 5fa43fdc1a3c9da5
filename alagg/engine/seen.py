"""Seen: packets that are in no stream's ring, each remembered by its number and by what it says.

A frame is a copy only when both agree. So a forged frame, whatever number it claims, neither makes the true packet of
that number look like a copy, nor pushes what is remembered of it out: where a packet is remembered follows from a
secret, and a place holds several.
"""

from __future__ import annotations

import struct
from typing import Final

import cython

WAYS: Final = 8
"""Packets that share a place, a cache line; the oldest of them is forgotten first."""
SHARE: Final = 2
"""Packets for each place, when all are remembered that shall be: few enough that hardly one is forgotten early."""
SECONDS: Final = 30
"""Seconds for which packets are remembered, as far as the bound allows."""
SMALLEST: Final = 1 << 8
"""Packets that are remembered at first; a busy lane grows up to its bound."""
BYTES_EACH: Final = 8
"""Bytes of memory for each packet that can be remembered."""

# The same again for C: other modules cannot see what the .pxd declares.
_WAYS: Final = WAYS
_SHARE: Final = SHARE
_EACH: Final = BYTES_EACH
_SECONDS: Final = SECONDS
_PLACE: Final = WAYS * BYTES_EACH

if not cython.compiled:  # seen.pxd has the same in C
    _KEY = struct.Struct("=Q")
    _M64 = (1 << 64) - 1

    def _mixed(secret: int, epoch: int, sequence: int, fingerprint: int) -> int:
        key = ((secret ^ (epoch << 32 | sequence)) * 0x9E3779B97F4A7C15) & _M64
        key = ((key ^ key >> 29 ^ fingerprint << 31) * 0xBF58476D1CE4E5B9) & _M64
        return (((key ^ key >> 32) * 0x94D049BB133111EB) & _M64) | 1

    def _load(table: bytearray, at: int) -> int:
        key: int = _KEY.unpack_from(table, at)[0]
        return key

    def _put_first(table: bytearray, at: int, key: int) -> None:
        table[at : at + _PLACE] = _KEY.pack(key) + table[at : at + _PLACE - _EACH]


class Seen:
    """Remembers packets; its memory grows with what comes, up to a bound."""

    def __init__(self, size: int, secret: int = 0) -> None:
        """Take how many packets are remembered at most, a power of two, and 64 bits that nobody can guess."""
        self.size = min(size, SMALLEST)
        """How many packets can be remembered now."""
        self._largest = size
        self._secret = secret
        self._added = 0
        """Packets since the last tick."""
        self._mask = max(self.size // _SHARE, 1) - 1
        self._table = bytearray((self._mask + 1) * _PLACE)

    def add(self, epoch: int, sequence: int, fingerprint: int) -> bool:
        """Remember a packet; False when it was remembered already.

        Args:
            epoch: of its sender, 32 bits.
            sequence: its number, 32 bits.
            fingerprint: of its content, 32 bits.
        """
        key = _mixed(self._secret, epoch, sequence, fingerprint)
        table = self._table
        place = ((key >> 24) & self._mask) * _PLACE
        for way in range(_WAYS):
            if _load(table, place + way * _EACH) == key:
                return False
        self._added += 1
        if _SECONDS * self._added > self.size and self.size < self._largest:
            self._grow()
            table = self._table
            place = ((key >> 24) & self._mask) * _PLACE
        _put_first(table, place, key)
        return True

    def has(self, epoch: int, sequence: int, fingerprint: int) -> bool:
        """Tell whether a packet is remembered; the arguments are those of `add`."""
        key = _mixed(self._secret, epoch, sequence, fingerprint)
        place = ((key >> 24) & self._mask) * _PLACE
        for way in range(_WAYS):  # noqa: SIM110 - a generator costs more than it asks
            if _load(self._table, place + way * _EACH) == key:
                return True
        return False

    def tick(self) -> None:
        """Begin another second: memory grows with what comes in one."""
        self._added = 0

    def _grow(self) -> None:
        """Double the memory; each place's packets are shared out among two, their order kept."""
        before = self._table
        self.size *= 2
        self._mask = max(self.size // _SHARE, 1) - 1
        self._table = bytearray((self._mask + 1) * _PLACE)
        for place in range(0, len(before), _PLACE):
            for way in range(_WAYS - 1, -1, -1):
                key = _load(before, place + way * _EACH)
                if key:
                    _put_first(self._table, ((key >> 24) & self._mask) * _PLACE, key)
