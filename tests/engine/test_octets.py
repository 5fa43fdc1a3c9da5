"""The plain form of the operations on bytes, against what they are meant to compute; the C form shows itself in
cutting and merging, whose tests run on both.
"""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from alagg.engine import octets
from tests.engine.packets import checksum


@given(st.binary(max_size=200), st.integers(0, 30), st.integers(0, 30))
@example(b"\xff\xff" * 4, 0, 0)
@example(b"\x01", 0, 0)
def test_total_is_the_sum_that_the_checksum_complements(data: bytes, before: int, after: int) -> None:
    around = b"\x55" * before + data + b"\xaa" * after
    expected = (checksum(data) ^ 0xFFFF) % 65535
    assert octets.total(around, before, before + len(data)) == expected


@given(st.binary(min_size=4, max_size=8), st.data())
def test_numbers_are_big_endian(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 4))
    assert octets.load16(data, at) == int.from_bytes(data[at : at + 2], "big")
    assert octets.load32(data, at) == int.from_bytes(data[at : at + 4], "big")
    target = bytearray(len(data))
    octets.store32(target, at, octets.load32(data, at))
    octets.store16(target, at, octets.load16(data, at))
    assert target == bytes(at) + data[at : at + 4] + bytes(len(data) - at - 4)


def test_same_looks_at_nothing_else() -> None:
    assert octets.same(b"abcd", b"xbcy", 1, 3)
    assert not octets.same(b"abcd", b"abxd", 1, 3)


def test_splice_joins() -> None:
    assert octets.splice(bytearray(b"head"), b"abcdef", 2, 4) == b"headcd"
