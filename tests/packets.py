"""IP packets from 10.99.0.2 to 10.99.0.1, and from fd99::2 to fd99::1, with every field as a test wants it."""

from __future__ import annotations

import ipaddress
import struct
from typing import Final

PROTOCOL: Final = 253
US, PEER = "10.99.0.1", "10.99.0.2"
US6, PEER6 = "fd99::1", "fd99::2"

ROUTER_ALERT: Final = b"\x94\x04\x00\x00"
"""An IPv4 option (RFC 2113)."""
HOP_BY_HOP: Final = bytes([60, 0, 5, 2, 0, 0, 1, 0])
"""An IPv6 extension header with a router alert; `DESTINATION` follows (RFC 8200, section 4.3)."""
DESTINATION: Final = bytes([PROTOCOL, 0, 1, 4, 0, 0, 0, 0])
"""An IPv6 extension header with destination options, of which there are none (RFC 8200, section 4.6)."""
FRAGMENT: Final = bytes([PROTOCOL, 0]) + struct.pack(">HI", 1, 0xABCD)
"""An IPv6 extension header of a first fragment (RFC 8200, section 4.5)."""


def checksum(data: bytes) -> int:
    """RFC 1071."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ipv4(
    payload: bytes = b"payload", *, tos: int = 0, number: int = 1, fragment: int = 0, ttl: int = 64,
    options: bytes = b"", destination: str = US,
) -> bytes:
    """Give a packet of the peer's, checksum included."""
    words = (20 + len(options)) // 4
    header = struct.pack(
        ">BBHHHBBH4s4s", 0x40 | words, tos, 4 * words + len(payload), number, fragment, ttl, PROTOCOL, 0,
        ipaddress.IPv4Address(PEER).packed, ipaddress.IPv4Address(destination).packed,
    ) + options
    return header[:10] + struct.pack(">H", checksum(header)) + header[12:] + payload


def ipv6(
    payload: bytes = b"payload", *, traffic_class: int = 0, flow: int = 0, hops: int = 64, following: int = PROTOCOL,
    destination: str = US6,
) -> bytes:
    """Give a packet of the peer's; `following` is the kind of what the payload begins with."""
    first = 6 << 28 | traffic_class << 20 | flow
    addresses = ipaddress.IPv6Address(PEER6).packed + ipaddress.IPv6Address(destination).packed
    return struct.pack(">IHBB", first, len(payload), following, hops) + addresses + payload
