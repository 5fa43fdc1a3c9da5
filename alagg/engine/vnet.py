# cython: annotation_typing=False, boundscheck=False, wraparound=False, cdivision=True
"""Finish what a TUN device hands over: its virtio_net_hdr says what was left to a network card, sizes included.

The header (linux/virtio_net.h, 10 bytes in the host's byte order) tells what NFQUEUE does not: the payload of each
segment of a TCP super-packet and of each datagram of a UDP one. So both are cut exactly as their sender has asked.
"""

from __future__ import annotations

import struct
from typing import Final

from alagg.engine import octets
from alagg.engine.segment import cut, cut_datagrams

SIZE: Final = 10
"""Bytes of the header."""

_FIELDS: Final = struct.Struct("=BBHHHH")
_NEEDS_CSUM: Final = 1
_KIND: Final = 0x7F
"""All but the flag that says that a super-packet of TCP carries CWR (VIRTIO_NET_HDR_GSO_ECN): `cut` sees that."""
_TCPV4: Final = 1
_TCPV6: Final = 4
_UDP_L4: Final = 5


def finish(packet: bytes, header: bytes, size: int) -> list[bytes]:
    """Give the whole IP packets that a packet with its header stands for.

    Args:
        packet: an IP packet as it was read from the device.
        header: the `SIZE` bytes before it.
        size: bytes of the largest TCP segment that need not be split, IP header included; datagrams are never cut.

    Returns:
        Packets that lack nothing; the packet untouched if its header contradicts it.
    """
    flags, kind, _, step, start, offset = _FIELDS.unpack(header)
    kind &= _KIND
    if kind in (_TCPV4, _TCPV6):
        pieces = cut(packet, size, step)
    elif kind == _UDP_L4:
        pieces = cut_datagrams(packet, step)
    else:
        pieces = [packet]
    if flags & _NEEDS_CSUM and len(pieces) == 1 and pieces[0] is packet:
        return [_summed(packet, start, start + offset)]
    return pieces


def _summed(packet: bytes, start: int, field: int) -> bytes:
    """Complete a checksum of any protocol: its field holds the pseudo-header's sum (CHECKSUM_PARTIAL)."""
    p = packet
    length = len(packet)
    if field < start or field + 2 > length:
        return packet
    # Never zero, which UDP reads as "no checksum"; elsewhere both zeros are the same (the kernel's CSUM_MANGLED_0).
    checksum = 0xFFFF - octets.total(p, start, length)
    head = bytearray(p[: field + 2])
    octets.store16(head, field, checksum)
    return octets.splice(head, p, field + 2, length)
