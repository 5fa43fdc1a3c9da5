"""IP packets by the word of a tape: well-formed ones, what follows in their flow, and any of them with mistakes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from alagg.engine.segment import complete
from tests.engine.packets import (
    CWR,
    EXTENSIONS,
    FIN,
    PSH,
    TIMESTAMPS,
    UDP,
    Packet,
    checksum,
    payload,
    routing_header,
    v6,
)

if TYPE_CHECKING:
    from tests.fuzz.tape import Tape

TEMPLATES: Final = (
    Packet(),
    v6(),
    Packet(options=TIMESTAMPS),
    Packet(protocol=UDP),
    v6(protocol=UDP),
    Packet(flags=0x10 | CWR | PSH | FIN, fragment=0, ip_options=b"\x94\x04\x00\x00"),
    v6(extensions=EXTENSIONS, options=TIMESTAMPS),
    v6(extensions=(routing_header(4, 1, bytes(16)),)),
)


def packet(tape: Tape, before: bytes) -> bytes:
    """Give the next packet; it may go on where the one before it ended."""
    kind = tape.number()
    if kind & 3 == 0:
        made = tape.take(tape.number())
    elif kind & 3 == 1:
        made = follower(before)
    else:
        made = replace(tape.choice(TEMPLATES), payload=payload(tape.number(2) % 3000)).pack()
    for _ in range(kind >> 2 & 3):
        made = edited(made, tape.number(), tape.number())
    if kind & 0x10:
        made = made[: tape.number(2)]
    if kind & 0x20:
        made = with_right_lengths(made)
    if kind & 0x40:
        made = with_right_checksums(made)
    return made


def edited(data: bytes, at: int, value: int) -> bytes:
    """Give a packet with one byte of its first 256 changed."""
    return data if at >= len(data) else data[:at] + bytes([data[at] ^ value]) + data[at + 1 :]


def follower(data: bytes) -> bytes:
    """Give what would follow a TCP segment without extension headers in its flow; the bytes are the same."""
    at = transport(data)
    if at + 20 > len(data):
        return data
    size = len(data) - at - (data[at + 12] >> 4) * 4
    moved = bytearray(data)
    _add(moved, at + 4, 4, size)
    if at == 20:
        _add(moved, 4, 2, 1)
    return with_right_checksums(bytes(moved))


def transport(data: bytes) -> int:
    """Give where the transport header of a packet without anything unusual before it begins."""
    return 20 if data[:1] == b"\x45" else 40


def with_right_lengths(data: bytes) -> bytes:
    """Give a packet whose IP and UDP headers say how long it is."""
    mended = bytearray(data)
    at = transport(data)
    if at > len(data):
        return data
    _set(mended, 2 if at == 20 else 4, 2, len(data) if at == 20 else len(data) - 40)
    if data[9 if at == 20 else 6] == UDP and at + 8 <= len(data):
        _set(mended, at + 4, 2, len(data) - at)
    return bytes(mended)


def with_right_checksums(data: bytes) -> bytes:
    """Give a packet with the checksums of its IPv4 header and transport."""
    if transport(data) == 20 and len(data) >= 20:
        head = data[:10] + b"\0\0" + data[12:20]
        data = head[:10] + checksum(head).to_bytes(2, "big") + data[12:]
    return complete(data)


def _set(data: bytearray, at: int, size: int, value: int) -> None:
    data[at : at + size] = (value % 256**size).to_bytes(size, "big")


def _add(data: bytearray, at: int, size: int, value: int) -> None:
    _set(data, at, size, int.from_bytes(data[at : at + size], "big") + value)
