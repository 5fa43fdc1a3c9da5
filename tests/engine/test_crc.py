"""The checksum against its definition, bit by bit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.crc import crc32c


def by_definition(data: bytes) -> int:
    """Divide by the polynomial as RFC 9260, appendix A, describes it, one bit after the other."""
    register = 0xFFFF_FFFF
    for octet in data:
        register ^= octet
        for _ in range(8):
            register = register >> 1 ^ (0x82F6_3B78 if register & 1 else 0)
    return register ^ 0xFFFF_FFFF


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", 0),
        (b"123456789", 0xE306_9283),
        (bytes(32), 0x8A91_36AA),
        (b"\xff" * 32, 0x62A8_AB43),
        (bytes(range(32)), 0x46DD_794E),
        (bytes(range(31, -1, -1)), 0x113F_DB5C),
    ],
)
def test_vectors(data: bytes, expected: int) -> None:
    """The last four are those of RFC 3720, section B.4."""
    assert crc32c(0, data, 0, len(data)) == by_definition(data) == expected


@given(st.binary(max_size=200), st.integers(0, 200), st.integers(0, 200))
def test_any_part_in_any_steps(data: bytes, one: int, two: int) -> None:
    start, stop = sorted((min(one, len(data)), min(two, len(data))))
    assert crc32c(0, data, start, stop) == by_definition(data[start:stop])
    assert crc32c(crc32c(0, data, 0, start), data, start, len(data)) == by_definition(data)
