"""The few operations on bytes that the compiled engine does in C: sums, comparisons, stores and copies.

This is their plain form, and their definition. `_octets.pxd` has the C form under the same names; whatever compiled
module says `from alagg.engine import octets` gets that one (its own `.pxd` says so), and neither form checks a
bound: the caller has proven it.
"""

from __future__ import annotations


def total(data: bytes | bytearray, start: int, end: int) -> int:
    """Sum the 16-bit words of `data[start:end]` for the Internet checksum (RFC 1071), an odd byte padded with zero.

    Returns:
        The sum modulo 65535, 0 to 65534: what ones' complement addition gives, except that its two zeros are one.
    """
    # 2**16 is 1 modulo 65535, so a whole number has the sum of its words as remainder.
    number = int.from_bytes(data[start:end], "big") % 65535
    return number * 256 % 65535 if end - start & 1 else number


def same(one: bytes, other: bytes, start: int, end: int) -> bool:
    """Tell whether two packets have the same bytes from `start` to `end`."""
    return one[start:end] == other[start:end]


def part(data: bytes, start: int, end: int) -> bytes:
    """Give a copy of `data[start:end]`."""
    return data[start:end]


def load16(data: bytes | bytearray, at: int) -> int:
    """Give the 16-bit number at an offset."""
    return data[at] << 8 | data[at + 1]


def load32(data: bytes | bytearray, at: int) -> int:
    """Give the 32-bit number at an offset."""
    return int.from_bytes(data[at : at + 4], "big")


def store16(data: bytearray, at: int, value: int) -> None:
    """Write a 16-bit number at an offset."""
    data[at] = value >> 8
    data[at + 1] = value & 0xFF


def store32(data: bytearray, at: int, value: int) -> None:
    """Write a 32-bit number at an offset."""
    data[at : at + 4] = value.to_bytes(4, "big")


def splice(head: bytearray, data: bytes, start: int, end: int) -> bytes:
    """Give `head` followed by `data[start:end]`."""
    return b"".join((head, data[start:end]))
