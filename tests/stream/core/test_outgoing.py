"""Outgoing: what is written leaves in segments, each until the peer has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.stream.core.assembly import FIRST_WINDOW, MAX_SEGMENTS
from alagg.stream.core.errors import ProtocolError
from alagg.stream.core.outgoing import Outgoing

LIMIT = 1 << 20


def filled(data: bytes) -> Outgoing:
    outgoing = Outgoing(LIMIT)
    outgoing.write(data)
    return outgoing


@given(st.lists(st.binary(min_size=1, max_size=100), max_size=20), st.integers(1, 60))
def test_segments_together_are_what_was_written(written: list[bytes], most: int) -> None:
    outgoing, out = Outgoing(LIMIT), b""
    for data in written:
        outgoing.write(data)
    while outgoing.has_fresh():
        segment = outgoing.cut(most)
        assert segment.offset == len(out)
        assert 0 < len(segment.data) <= most
        out += segment.data
    assert out == b"".join(written)
    assert outgoing.unsent == 0


def test_the_end_takes_one_number_and_follows_everything() -> None:
    outgoing = filled(b"abc")
    outgoing.ending = True
    assert not outgoing.cut(10).fin
    fin = outgoing.cut(10)
    assert (fin.fin, fin.offset, fin.end) == (True, 3, 4)
    assert not outgoing.has_fresh()
    outgoing.acknowledge(4, FIRST_WINDOW)
    assert outgoing.finished


def test_the_peers_window_is_kept() -> None:
    outgoing = Outgoing(1 << 40)
    outgoing.write(bytes(FIRST_WINDOW + 10))
    outgoing.cut(FIRST_WINDOW + 10)
    assert outgoing.next == FIRST_WINDOW
    assert not outgoing.has_fresh()
    outgoing.acknowledge(0, FIRST_WINDOW + 5)
    assert len(outgoing.cut(100).data) == 5
    outgoing.acknowledge(0, 1)
    assert outgoing.limit == FIRST_WINDOW + 5


def test_the_own_limit_is_kept() -> None:
    outgoing = Outgoing(10)
    outgoing.write(bytes(30))
    assert len(outgoing.cut(30).data) == 10
    assert not outgoing.has_fresh()
    outgoing.acknowledge(10, FIRST_WINDOW)
    assert outgoing.has_fresh()


def test_no_more_segments_than_the_peer_would_keep() -> None:
    outgoing = filled(bytes(MAX_SEGMENTS + 1))
    for _ in range(MAX_SEGMENTS):
        outgoing.cut(1)
    assert not outgoing.has_fresh()


def test_nothing_can_be_acknowledged_that_was_never_sent() -> None:
    with pytest.raises(ProtocolError) as caught:
        filled(b"abc").acknowledge(1, LIMIT)
    assert caught.value.reason == "ack-beyond"


def test_the_earliest_is_repeated_first_and_once() -> None:
    outgoing = filled(b"abcdef")
    first, second = outgoing.cut(3), outgoing.cut(3)
    for segment in (second, first, second):
        outgoing.again(segment)
    assert outgoing.repeat() is first
    outgoing.take_repeat()
    assert outgoing.repeat() is second
    outgoing.acknowledge(6, LIMIT)
    assert outgoing.repeat() is None
    assert outgoing.repeated == 3


def test_what_is_abandoned_is_gone() -> None:
    outgoing = filled(b"abcdef")
    outgoing.again(outgoing.cut(3))
    outgoing.abandon()
    assert not outgoing.has_fresh()
    assert outgoing.repeat() is None
