# cython: annotation_typing=False, boundscheck=False, wraparound=False, cdivision=True
"""Segment limits: how large a packet of TCP a flow's receiver takes, as far as it can be known from passing packets.

An NFQUEUE hands over super-packets without the size of their segments. They must not be cut larger than what the
receiver has announced when the connection began (its maximum segment size, RFC 9293, section 3.7.1), nor than what a
router on the way has said that it forwards (RFC 1191, RFC 8201). Both pass here on their way to the host's IP stack.

Who began before the node did is known by its single packets: none is larger than its sender may make them. Until
one has come, packets are cut to what every receiver has to take.

The table is a piece of memory of a fixed size, which workers share: an answer may reach another one than the packets.
Each slot is one number, written at once; a flow that finds its slot taken takes it over.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from alagg.engine import octets
from alagg.engine.addresses import quoted_addresses, source_and_destination

if TYPE_CHECKING:
    from mmap import mmap

MEMORY: Final = 1 << 19
"""Bytes of the table: 65,536 slots."""

_SLOT: Final = struct.Struct("=Q")
_ANNOUNCED: Final = 0x1_0000
_TAG: Final = 0x7FFF_FFFF_FFFF
_TCP: Final = 6
_ICMP: Final = 1
_ICMPV6: Final = 58
_SYN: Final = 0x02
_DEFAULT4: Final = 536
_DEFAULT6: Final = 1220
"""What a receiver takes that has announced nothing (RFC 9293, section 3.7.1)."""
_LEAST: Final = 48
"""The least that is believed, as by Linux (`tcp_min_snd_mss`): tiny segments cost most those who make them."""
_LEAST_MTU4: Final = 552
_LEAST_MTU6: Final = 1280
"""The least that is believed of a path, as by Linux (`min_pmtu`; RFC 8200, section 5)."""


class SegmentLimits:
    """Remembers flows of both families in bounded memory."""

    def __init__(self, memory: bytearray | mmap | None = None) -> None:
        """Take the table's memory, `MEMORY` bytes that were zero at first; None for memory of one's own."""
        self._memory = bytearray(MEMORY) if memory is None else memory

    def size(self, packet: bytes) -> int:
        """Give the bytes of the largest packet, IP header included, that a captured packet of TCP may be cut into."""
        p = packet
        at = _tcp_header(p, len(packet))
        safe = _DEFAULT6 + 60 if len(packet) > 0 and p[0] >> 4 == 6 else _DEFAULT4 + 40
        if at == 0:
            return safe
        addresses = _addresses(packet)
        known = self._load(addresses + packet[at : at + 4]) & 0xFFFF
        path = self._load(addresses) & 0xFFFF
        known = known or safe
        return path if 0 < path < known else known

    def note(self, packet: bytes) -> None:
        """Take a captured packet of TCP that is one segment, as its sender has made it."""
        p = packet
        length = len(packet)
        at = _tcp_header(p, length)
        if at == 0 or length <= (_DEFAULT6 + 60 if p[0] >> 4 == 6 else _DEFAULT4 + 40):
            return
        flow = _addresses(packet) + packet[at : at + 4]
        known = self._load(flow)
        if known < _ANNOUNCED and known < length:
            self._store(flow, length)

    def watch(self, packets: list[bytes]) -> None:
        """Look through packets that are about to be injected: beginnings of connections, and errors of routers."""
        for packet in packets:
            p = packet
            length = len(packet)
            if length < 40:
                continue
            protocol = p[9] if p[0] >> 4 == 4 else p[6]
            if protocol == _TCP:
                at = _tcp_header(p, length)
                if at > 0 and p[at + 13] & _SYN:
                    self._begin(packet, at)
            elif protocol in (_ICMP, _ICMPV6):
                self._narrow(packet)

    def _begin(self, packet: bytes, at: int) -> None:
        """Remember what the sender of a SYN is ready to take, for what goes to it."""
        p = packet
        size = _announced(p, at, len(packet))
        v4 = p[0] >> 4 == 4
        if size == 0:
            size = _DEFAULT4 if v4 else _DEFAULT6
        size = min(max(size, _LEAST) + (40 if v4 else 60), 0xFFFF)
        addresses = _addresses(packet)
        half = len(addresses) // 2
        ports = packet[at + 2 : at + 4] + packet[at : at + 2]
        self._store(addresses[half:] + addresses[:half] + ports, _ANNOUNCED | size)

    def _narrow(self, packet: bytes) -> None:
        """Remember what a router says that it forwards, if the packet is such an error."""
        p = packet
        if not source_and_destination(packet):
            return
        quoted = quoted_addresses(packet)
        if len(quoted) == 32 and p[40] == 2:
            self._store(quoted, _ANNOUNCED | min(max(octets.load32(p, 44), _LEAST_MTU6), 0xFFFF))
        elif len(quoted) == 8:
            start = (p[0] & 0x0F) * 4
            if p[start] == 3 and p[start + 1] == 4:
                self._store(quoted, _ANNOUNCED | max(octets.load16(p, start + 6), _LEAST_MTU4))

    def _load(self, key: bytes) -> int:
        """Give what is known of a flow, or of a path: 0 for nothing, else a size, with a mark if it was announced."""
        number = hash(key)
        (slot,) = _SLOT.unpack_from(self._memory, (number & 0xFFFF) * 8)
        return slot & 0x1_FFFF if slot >> 17 == number >> 16 & _TAG else 0

    def _store(self, key: bytes, value: int) -> None:
        number = hash(key)
        _SLOT.pack_into(self._memory, (number & 0xFFFF) * 8, (number >> 16 & _TAG) << 17 | value)


def _addresses(packet: bytes) -> bytes:
    """Give both addresses of a packet that `_tcp_header` has found whole."""
    return octets.part(packet, 12, 20) if packet[0] >> 4 == 4 else octets.part(packet, 8, 40)


def _tcp_header(p: bytes, length: int) -> int:
    """Find the TCP header of an IP packet; 0 for a fragment, extension headers, and what is none or cut off."""
    if length >= 60 and p[0] >> 4 == 6:
        return 40 if p[6] == _TCP else 0
    if length < 40 or p[0] >> 4 != 4 or p[9] != _TCP or octets.load16(p, 6) & 0x3FFF:
        return 0
    at = (p[0] & 0x0F) * 4
    return at if 20 <= at <= length - 20 else 0


def _announced(p: bytes, at: int, length: int) -> int:
    """Read the maximum segment size among the options of a SYN (RFC 9293, section 3.2); 0 where it has none."""
    end = min(at + (p[at + 12] >> 4) * 4, length)
    place = at + 20
    while place < end and p[place] != 0:
        if p[place] == 1:
            place += 1
            continue
        if place + 2 > end or p[place + 1] < 2 or place + p[place + 1] > end:
            return 0
        if p[place] == 2 and p[place + 1] == 4:
            return octets.load16(p, place + 2)
        place += p[place + 1]
    return 0
