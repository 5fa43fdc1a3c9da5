# cython: annotation_typing=False, boundscheck=False, wraparound=False, cdivision=True
"""Cut TCP super-packets into segments that fit a link, and complete checksums that were left to a network card.

The kernel hands such packets over when NFQUEUE is asked for them (NFQA_CFG_F_GSO): up to 64 KiB under one header,
the TCP checksum still to be done. What comes out is what the kernel's own segmentation (GSO) would have sent, so
that the receiving side can merge the segments again: all of one size except the last.

The rules (RFC 9293; RFC 3168 for ECN; the kernel's `tcp_gso_segment` and `inet_gso_segment`), header options and
extension headers being copied to each segment:

- IPv4: total length and header checksum of its own, identification counted up. IPv6: payload length.
- TCP: the sequence number moves on; PSH and FIN stay on the last segment only, CWR on the first (with the AE bit of
  Accurate ECN, RFC 9768, where it is part of a counter, on all), the other flags on all; checksum of its own.

In the compiled form `p` is a pointer into the packet, `w` one into the header being written: every offset that they
are read or written at was proven by `_locate` and the lines that follow its call.
"""

from __future__ import annotations

from typing import Final

from alagg.engine import octets

_TCP: Final = 6
_UDP: Final = 17
_FIN: Final = 0x01
_SYN: Final = 0x02
_RST: Final = 0x04
_PSH: Final = 0x08
_URG: Final = 0x20
_CWR: Final = 0x80


def cut(packet: bytes, size: int, step: int = 0) -> list[bytes]:
    """Cut a TCP packet whose checksum was left open into segments, whole IP packets of at most `size` bytes.

    Args:
        packet: an IP packet that the kernel marked as a super-packet or as lacking its checksum. Others must not
            come here: a wrong checksum would turn into a right one.
        size: bytes of the largest segment, IP header included.
        step: bytes of payload that no segment may exceed either; 0 where the kernel does not tell.

    Returns:
        The segments, in order. One packet, its checksum completed, if it fits already or cannot be cut (SYN, RST,
        URG, or no room beside the headers). The packet untouched if it is no whole, well-formed TCP packet:
        fragments, other protocols, unknown extension headers, lengths that contradict each other.
    """
    p = packet
    length = len(packet)
    protocol, tcp, destination = _locate(p, length)
    if protocol != _TCP or tcp + 20 > length:
        return [packet]
    start = tcp + (p[tcp + 12] >> 4) * 4
    if start < tcp + 20 or start > length:
        return [packet]
    if step == 0 or step > size - start:
        step = size - start
    if length - start <= step or step <= 0 or p[tcp + 13] & (_SYN | _RST | _URG):
        return [_completed(packet, _TCP, tcp, destination, tcp + 16)]
    return _segments(packet, step, tcp, start, destination)


def cut_datagrams(packet: bytes, step: int) -> list[bytes]:
    """Cut a UDP super-packet into datagrams that carry `step` bytes each, the last one the rest.

    As the kernel does (`__udp_gso_segment`): IP headers are copied, IPv4's identification counts up.

    Returns:
        The packet untouched if it is no whole, well-formed UDP packet, or `step` is 0.
    """
    p = packet
    length = len(packet)
    protocol, at, destination = _locate(p, length)
    if protocol != _UDP or at + 8 > length or step <= 0:
        return [packet]
    head = bytearray(p[: at + 8])
    w = head
    v4 = destination == 16
    pseudo = _pseudo_header(p, _UDP, destination) + octets.load32(p, at) % 65535
    datagrams: list[bytes] = []
    begin = at + 8
    while begin < length or not datagrams:
        end = min(begin + step, length)
        size = 8 + end - begin
        _set_length(w, v4, at, size, len(datagrams))
        octets.store16(w, at + 4, size)
        checksum = 0xFFFF - (pseudo + size + size + octets.total(p, begin, end)) % 65535
        octets.store16(w, at + 6, checksum)
        datagrams.append(octets.splice(head, p, begin, end))
        begin = end
    return datagrams


def _set_length(w: bytearray, v4: bool, at: int, size: int, more: int) -> None:  # noqa: FBT001 - which of two layouts
    """Write the length of an IP packet of `size` bytes behind its header; IPv4's identification moves on once."""
    if not v4:
        octets.store16(w, 4, at - 40 + size)
        return
    octets.store16(w, 2, at + size)
    octets.store16(w, 4, octets.load16(w, 4) + (more > 0) & 0xFFFF)
    octets.store16(w, 10, 0)
    octets.store16(w, 10, 0xFFFF - (octets.total(w, 0, at) or 65535))


def complete(packet: bytes) -> bytes:
    """Complete the checksum of a TCP or UDP packet that the kernel marked as lacking it (NFQA_SKB_CSUMNOTREADY).

    Nothing else needs it: other protocols get theirs in the kernel, or have none. (SCTP's, a CRC-32C, can be left to
    a network card, too; so only TCP may be read from a queue with NFQA_CFG_F_GSO. Without that flag none is left.)

    Returns:
        The packet untouched if it is no whole, well-formed TCP or UDP packet, or UDP without a checksum.
    """
    p = packet
    length = len(packet)
    protocol, at, destination = _locate(p, length)
    if protocol == _TCP and at + 20 <= length:
        return _completed(packet, protocol, at, destination, at + 16)
    if protocol == _UDP and at + 8 <= length and octets.load16(p, at + 4) == length - at and octets.load16(p, at + 6):
        return _completed(packet, protocol, at, destination, at + 6)
    return packet


def _locate(p: bytes, length: int) -> tuple[int, int, int]:
    """Find the transport header of a whole IP packet.

    Returns:
        The protocol, the offset of its header, and the offset of the address that the pseudo-header has as
        destination (RFC 8200, section 8.1); zeros for a fragment and for what is not understood.
    """
    if length >= 40 and p[0] >> 4 == 6 and octets.load16(p, 4) == length - 40:
        return _locate_behind_extensions(p, length)
    at = (p[0] & 0x0F) * 4 if length >= 20 and p[0] >> 4 == 4 else 0
    if at < 20 or octets.load16(p, 2) != length or octets.load16(p, 6) & 0x3FFF:
        return 0, 0, 0
    return p[9], at, 16


def _locate_behind_extensions(p: bytes, length: int) -> tuple[int, int, int]:
    protocol, at, destination = p[6], 40, 24
    # Hop-by-hop options, routing, destination options: what the kernel's segmentation copies as well.
    while protocol in (0, 43, 60):
        if at + 8 > length:
            return 0, 0, 0
        if protocol == 43 and p[at + 3]:
            # Segments are left: in types 2 (RFC 6275) and 4 (RFC 8754) the final destination stands first.
            if at + 24 > length or (p[at + 2] != 2 and p[at + 2] != 4):
                return 0, 0, 0
            destination = at + 8
        protocol, at = p[at], at + (p[at + 1] + 1) * 8
    return protocol, at, destination


def _pseudo_header(p: bytes, protocol: int, destination: int) -> int:
    """Sum the pseudo-header, but for the length (RFC 9293, section 3.1; RFC 8200, section 8.1)."""
    size = 4 if destination == 16 else 16
    source = 12 if destination == 16 else 8
    return octets.total(p, source, source + size) + octets.total(p, destination, destination + size) + protocol


def _completed(packet: bytes, protocol: int, at: int, destination: int, field: int) -> bytes:
    p = packet
    length = len(packet)
    # Without the field itself, whatever stands in it.
    words = _pseudo_header(p, protocol, destination) + length - at
    words += octets.total(p, at, field) + octets.total(p, field + 2, length)
    checksum = 0xFFFF - (words % 65535 or 65535)
    if protocol == _UDP and checksum == 0:
        checksum = 0xFFFF
    head = bytearray(p[: field + 2])
    octets.store16(head, field, checksum)
    return octets.splice(head, p, field + 2, length)


def _segments(packet: bytes, step: int, tcp: int, start: int, destination: int) -> list[bytes]:
    """Cut off `step` bytes of payload at a time; the payload begins at `start`."""
    p = packet
    length = len(packet)
    head = bytearray(p[:start])
    w = head
    v4 = destination == 16
    identification = octets.load16(p, 4)
    sequence = octets.load32(p, tcp + 4)
    flags = octets.load16(p, tcp + 12)
    first_only = 0 if flags & 0x100 else _CWR
    # The sums of all that is the same in each header; what differs counts as zero here and is added below.
    _clear(w, v4, tcp)
    ip_words = octets.total(w, 0, tcp)
    tcp_words = octets.total(w, tcp, start) + _pseudo_header(p, _TCP, destination) + start - tcp
    segments = []
    begin = start
    while begin < length:
        end = begin + step
        now = flags
        if end < length:
            now &= ~(_PSH | _FIN)
        else:
            end = length
        if begin > start:
            now &= ~first_only
        if v4:
            octets.store16(w, 2, start + end - begin)
            octets.store16(w, 4, identification)
            octets.store16(w, 10, 0xFFFF - ((ip_words + start + end - begin + identification) % 65535 or 65535))
            identification = (identification + 1) & 0xFFFF
        else:
            octets.store16(w, 4, start + end - begin - 40)
        octets.store32(w, tcp + 4, sequence)
        octets.store16(w, tcp + 12, now)
        words = tcp_words + end - begin + (sequence >> 16) + (sequence & 0xFFFF) + now + octets.total(p, begin, end)
        octets.store16(w, tcp + 16, 0xFFFF - (words % 65535 or 65535))
        segments.append(octets.splice(head, p, begin, end))
        sequence = (sequence + end - begin) & 0xFFFF_FFFF
        begin = end
    return segments


def _clear(w: bytearray, v4: bool, tcp: int) -> None:  # noqa: FBT001 - which of two layouts
    """Zero the fields that each segment has of its own."""
    if v4:
        octets.store16(w, 2, 0)
        octets.store16(w, 4, 0)
        octets.store16(w, 10, 0)
    octets.store32(w, tcp + 4, 0)
    octets.store16(w, tcp + 12, 0)
    octets.store16(w, tcp + 16, 0)
