"""ECN: says congestion to a packet's receiver instead of dropping the packet (RFC 3168), IPv4 and IPv6."""

from __future__ import annotations

from typing import Final

NOT_CAPABLE: Final = 0
CONGESTED: Final = 3
_SIZES: Final = {4: 20, 6: 40}


def codepoint(packet: bytes) -> int:
    """Give the two bits, `NOT_CAPABLE` to `CONGESTED` (RFC 3168, section 5); those of anything but IP are 0."""
    version = packet[0] >> 4 if packet else 0
    if len(packet) < _SIZES.get(version, len(packet) + 1):
        return NOT_CAPABLE
    return packet[1] & 3 if version == 4 else packet[1] >> 4 & 3


def marked(packet: bytes) -> bytes | None:
    """Give a packet with the mark of congestion; None when its transport does not understand it."""
    before = codepoint(packet)
    if before == NOT_CAPABLE:
        return None
    if before == CONGESTED:
        return packet
    changed = bytearray(packet)
    if packet[0] >> 4 == 6:
        changed[1] |= CONGESTED << 4
        return bytes(changed)
    changed[1] |= CONGESTED
    # RFC 1624, equation 3: only the word that changed enters.
    total = (~int.from_bytes(packet[10:12], "big") & 0xFFFF) + (~int.from_bytes(packet[:2], "big") & 0xFFFF)
    total += int.from_bytes(changed[:2], "big")
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    changed[10:12] = (~total & 0xFFFF).to_bytes(2, "big")
    return bytes(changed)
