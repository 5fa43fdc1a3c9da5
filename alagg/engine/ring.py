"""Ring: what each of a stream's last numbers said, in the order of the numbers.

A number and what it says are kept at the place that the number's last bits name. So neighbours lie beside each other
in memory, which the processor has at hand, and a number is remembered until another of the same place comes: the one
`size` before or behind it. `keeps` says which numbers are near enough to the stream's head that no two of them share
a place; only those may be given to `put`, and so nobody pushes a number out that is still of use.
"""

from __future__ import annotations

import struct
from typing import Final

import cython

SMALLEST: Final = 1 << 8
"""Numbers that are remembered at first; a busy stream's ring grows up to its bound."""
AHEAD: Final = 4
"""One of so many places is for numbers ahead of the head, the others for those behind it."""
SECONDS: Final = 30.0
"""Seconds for which numbers are remembered, as far as the bound allows."""

NEW: Final = 0
"""The number was not there."""
COPY: Final = 1
"""It was, and said the same."""
OTHER: Final = 2
"""It was, and said something else; that stays."""

# The same again for C: other modules cannot see what the .pxd declares.
_AHEAD: Final = AHEAD
_SECONDS: Final = SECONDS
_NEW: Final = NEW
_COPY: Final = COPY
_OTHER: Final = OTHER
_ENTRY: Final = 8
"""Bytes of an entry: number and fingerprint, 32 bits each."""

if not cython.compiled:  # ring.pxd has the same in C
    _WORD = struct.Struct("=Q")

    def _load(table: bytearray, place: int) -> int:
        entry: int = _WORD.unpack_from(table, place * _ENTRY)[0]
        return entry

    def _store(table: bytearray, place: int, entry: int) -> None:
        _WORD.pack_into(table, place * _ENTRY, entry)

    def _entry(sequence: int, fingerprint: int) -> int:
        return sequence << 32 | fingerprint


class Ring:
    """Remembers numbers; its memory grows with what comes, up to a bound."""

    def __init__(self, largest: int, now: float) -> None:
        """Take how many numbers are remembered at most, a power of two from 2 on, and the time."""
        self.size = min(largest, SMALLEST)
        """How many numbers can be remembered now."""
        self._largest = largest
        self._mask = self.size - 1
        self._table = _empty(self.size)
        self._left = self.size
        """Numbers until the ring has gone round once more."""
        self._round = now
        self._last_round = now
        """When this round and the last one began: what is written over now is no older than that."""
        self._beyond = 0
        """Numbers that were too far ahead for the ring as it is."""

    def keeps(self, ahead: int) -> bool:
        """Tell whether a number so far ahead of the stream's head, 0 or more, has a place of its own."""
        if ahead < max(self.size // _AHEAD, 1):
            return True
        self._beyond += 1
        if self._beyond >= self.size // 2 and self.size < self._largest:
            self._grow()
        return False

    def has(self, sequence: int, fingerprint: int) -> bool:
        """Tell whether a number was here, and said the same.

        Args:
            sequence: the number, 32 bits.
            fingerprint: of what it says, 32 bits.
        """
        return _load(self._table, sequence & self._mask) == _entry(sequence, fingerprint)

    def put(self, sequence: int, fingerprint: int, now: float) -> int:
        """Remember a number unless it is there already; give `NEW`, `COPY` or `OTHER`; the arguments are `has`'s."""
        place, entry = sequence & self._mask, _entry(sequence, fingerprint)
        there = _load(self._table, place)
        if there == entry:
            return _COPY
        number = there >> 32
        if number == sequence:
            return _OTHER
        if self.size < self._largest and number & self._mask == place and now - self._last_round < _SECONDS:
            self._grow()
            place = sequence & self._mask
        _store(self._table, place, entry)
        self._left -= 1
        if not self._left:
            self._left, self._last_round, self._round = self.size, self._round, now
        return _NEW

    def _grow(self) -> None:
        """Double the memory."""
        before, mask = self._table, self._mask
        self._left, self._beyond = self.size, 0
        self.size *= 2
        self._mask = self.size - 1
        self._table = _empty(self.size)
        for place in range(mask + 1):
            entry = _load(before, place)
            number = entry >> 32
            if number & mask == place:
                _store(self._table, number & self._mask, entry)


def _empty(size: int) -> bytearray:
    """Make a table without numbers: in each place stands one that belongs to another place."""
    table = bytearray(size * _ENTRY)
    _store(table, 0, _entry(1, 0))
    return table
