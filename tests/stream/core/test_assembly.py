"""Assembly: whatever order segments come in, the stream comes out; what no peer may send is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.stream.core.assembly import FIRST_WINDOW, MAX_SEGMENTS, PROMISED, Assembly
from alagg.stream.core.errors import ProtocolError

if TYPE_CHECKING:
    from random import Random

MEGABYTE = 1 << 20


@given(
    st.lists(st.binary(min_size=1, max_size=30), max_size=30), st.randoms(use_true_random=False), st.integers(1, 2)
)
def test_any_order_and_copies_give_the_stream(parts: list[bytes], random: Random, copies: int) -> None:
    assembly, segments, at = Assembly(MEGABYTE), [], 0
    for part in parts:
        segments.append((at, part))
        at += len(part)
    segments *= copies
    random.shuffle(segments)
    assembly.finish(at)
    out = b""
    for offset, part in segments:
        assembly.insert(offset, part)
        out += assembly.read(random.randint(1, 40))
    out += assembly.read(MEGABYTE)
    assert out == b"".join(parts)
    assert assembly.finished
    assert assembly.ready == 0


def test_what_is_missing_holds_the_rest() -> None:
    assembly = Assembly(MEGABYTE)
    assembly.insert(3, b"def")
    assert assembly.read(10) == b""
    assembly.insert(0, b"abc")
    assert (assembly.ready, assembly.whole) == (6, 6)
    assert assembly.read(4) == b"abcd"
    assert assembly.read(4) == b"ef"


def reason(assembly: Assembly, offset: int, data: bytes) -> str:
    with pytest.raises(ProtocolError) as caught:
        assembly.insert(offset, data)
    return caught.value.reason


def test_breaches_are_named() -> None:
    assembly = Assembly(MEGABYTE)
    assert reason(assembly, FIRST_WINDOW, b"x") == "beyond-window"
    assert reason(assembly, (1 << 64) - 1, b"x") == "beyond-window"
    assembly.insert(0, b"abc")
    assert reason(assembly, 1, b"bcd") == "overlap"
    assembly.finish(10)
    assert reason(assembly, 8, b"xyz") == "beyond-end"


def test_no_more_is_kept_than_there_are_offsets() -> None:
    assembly = Assembly(4096)
    for offset in (1, 2):
        assembly.insert(offset, b"x" * 2000)
    assert reason(assembly, 3, b"x" * 2000) == "overlap"


def test_small_segments_are_limited_in_number() -> None:
    assembly = Assembly(MEGABYTE)
    for number in range(MAX_SEGMENTS):
        assembly.insert(1 + 2 * number, b"x")
    assert reason(assembly, 2 * MAX_SEGMENTS + 1, b"x") == "too-many-segments"


@pytest.mark.parametrize(("end", "named"), [(4, "end-moved"), (FIRST_WINDOW + 1, "end-moved")])
def test_the_end_does_not_move(end: int, named: str) -> None:
    assembly = Assembly(MEGABYTE)
    assembly.finish(3)
    with pytest.raises(ProtocolError) as caught:
        assembly.finish(end)
    assert caught.value.reason == named


def test_the_end_is_not_before_what_came() -> None:
    assembly = Assembly(MEGABYTE)
    assembly.insert(5, b"abc")
    for end, named in ((6, "beyond-end"), (FIRST_WINDOW + 1, "beyond-window")):
        with pytest.raises(ProtocolError) as caught:
            assembly.finish(end)
        assert caught.value.reason == named


def test_the_end_may_come_twice() -> None:
    assembly = Assembly(MEGABYTE)
    assembly.insert(0, b"abc")
    assembly.finish(3)
    assembly.finish(3)
    assert assembly.finished


def test_the_window_moves_with_what_is_read_and_grows_with_its_rate() -> None:
    assembly = Assembly(64 * MEGABYTE)
    chunk = b"x" * (1 << 16)
    for number in range(200):
        assembly.insert(number << 16, chunk)
        assembly.read(1 << 16)
        assembly.grant(number * 0.001, 0.1)
    assert assembly.granted - assembly.read_to > 4 * MEGABYTE


def test_the_window_stays_where_nothing_is_read() -> None:
    assembly = Assembly(64 * MEGABYTE)
    assembly.insert(0, b"x" * 65536)
    for number in range(100):
        assert not assembly.grant(number * 0.1, 0.1)
    assert assembly.granted == FIRST_WINDOW


def test_discarded_bytes_count_as_read() -> None:
    assembly = Assembly(MEGABYTE)
    assembly.insert(0, b"abc")
    assembly.discard()
    assembly.insert(3, b"def")
    assert (assembly.ready, assembly.read_to) == (0, 6)


def test_a_burst_after_a_long_wait_counts_as_what_it_was() -> None:
    assembly = Assembly(256 * MEGABYTE)
    assembly.grant(9.0, 2.0)
    assembly.insert(0, bytes(MEGABYTE // 2))
    assembly.grant(10.0, 2.0)
    assembly.read(MEGABYTE)
    assembly.grant(10.001, 2.0)
    once = assembly.granted - assembly.read_to
    assert once > 4 * MEGABYTE / 2
    for _ in range(3):
        assembly.grant(10.001, 2.0)
    assert assembly.granted - assembly.read_to == once


def test_what_was_read_bounds_what_is_granted() -> None:
    assembly = Assembly(1 << 40)
    assembly.insert(0, bytes(1000))
    assembly.read(MEGABYTE)
    assembly.grant(1.0, 1e6)
    assert assembly._window <= FIRST_WINDOW + PROMISED * 1000
