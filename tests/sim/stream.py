"""A stream of numbered packets through the simulated network, and what became of it."""

from __future__ import annotations

import itertools
import struct
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from tests.engine.helpers import ipv4, ipv6

if TYPE_CHECKING:
    from collections.abc import Sequence

_CONTENT = struct.Struct(">II")
_IDENTS = itertools.count()


class Report(NamedTuple):
    """What an application would say of its stream."""

    sent: int
    lost: int
    duplicated: int
    out_of_order: int
    """Packets that came after one with a higher number."""
    longest_gap: float
    """Seconds between two arrivals."""
    longest_delay: float
    """Seconds from the sending of a packet to its arrival."""


class Stream:
    """Numbered packets from one address to another."""

    def __init__(self, source: str, destination: str, size: int, arrived: list[tuple[float, bytes]]) -> None:
        self.sent: dict[int, float] = {}
        """When each number was sent."""
        packet = (ipv6 if ":" in source else ipv4)(bytes(size), source, destination)
        self._content_at = len(packet) - size
        self._head, self._tail = packet[: self._content_at], bytes(size - _CONTENT.size)
        self._ident = next(_IDENTS)
        self._arrived = arrived

    def packets(self, numbers: Sequence[int], now: float) -> list[bytes]:
        """Make packets, to be sent now."""
        self.sent.update(dict.fromkeys(numbers, now))
        return [self._packet(number) for number in numbers]

    def arrivals(self) -> list[tuple[float, int]]:
        """Give the time and the number of each packet that arrived, unaltered."""
        found, start, end = [], self._content_at, self._content_at + _CONTENT.size
        for time, packet in self._arrived:
            if len(packet) < end:
                continue
            ident, number = _CONTENT.unpack(packet[start:end])
            if ident == self._ident and packet == self._packet(number):
                found.append((time, number))
        return found

    def report(self) -> Report:
        """Say what became of the stream so far."""
        arrivals = self.arrivals()
        times = [time for time, _ in arrivals]
        copies = Counter(number for _, number in arrivals)
        highest = itertools.accumulate((number for _, number in arrivals), max)
        return Report(
            sent=len(self.sent),
            lost=len(self.sent.keys() - copies),
            duplicated=sum(copies.values()) - len(copies),
            out_of_order=sum(number < high for (_, number), high in zip(arrivals, highest, strict=True)),
            longest_gap=max((after - before for before, after in itertools.pairwise(times)), default=0.0),
            longest_delay=max((time - self.sent[number] for time, number in arrivals), default=0.0),
        )

    def _packet(self, number: int) -> bytes:
        return self._head + _CONTENT.pack(self._ident, number) + self._tail
