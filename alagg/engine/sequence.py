"""Serial number arithmetic (RFC 1982) for 32-bit numbers that wrap."""

from __future__ import annotations

from typing import Final

MASK: Final = 0xFFFF_FFFF
"""All numbers are modulo 2**32; `number & MASK` wraps one."""
HALF: Final = 0x8000_0000
"""Half of the number space: two numbers this far apart have no order (RFC 1982, section 3.2)."""

# The same again for C: other modules cannot see what the .pxd declares.
_MASK: Final = MASK
_HALF: Final = HALF


def distance(to: int, origin: int) -> int:
    """Give how far `to` lies ahead of `origin`, from -2**31 (behind) to 2**31 - 1 (ahead)."""
    return ((to - origin + _HALF) & _MASK) - _HALF


def extend(number: int, near: int) -> int:
    """Give the number without its wrap: of those that end in its 32 bits the one closest to `near` (64 bits)."""
    return near + (((number - near + _HALF) & _MASK) - _HALF)
