"""Frames: what is built is what is read, however it is cut, and what may not be is named."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.stream.core import frames
from alagg.stream.core.errors import ProtocolError
from alagg.stream.core.frames import Decoder

NUMBERS = st.integers(0, frames.MAX_NUMBER)
BUILT = st.one_of(
    st.tuples(NUMBERS, st.binary(min_size=1, max_size=50)).map(lambda p: frames.data_header(p[0], len(p[1])) + p[1]),
    NUMBERS.map(lambda number: frames.numbered(frames.FIN, number)),
    NUMBERS.map(lambda number: frames.numbered(frames.PING, number)),
    st.tuples(NUMBERS, NUMBERS, NUMBERS).map(lambda three: frames.ack(*three)),
    st.integers(0, 1).map(frames.hold),
    st.just(frames.leave()),
    st.tuples(st.integers(0, 255), st.text(max_size=300)).map(lambda two: frames.end(*two)),
)


@given(st.lists(BUILT, max_size=8), st.lists(st.integers(1, 40), max_size=50))
def test_frames_come_out_however_they_are_cut(built: list[bytes], cuts: list[int]) -> None:
    stream, decoder, found = b"".join(built), Decoder(), []
    for cut in [*cuts, len(stream)]:
        found += list(decoder.feed(stream[:cut]))
        stream = stream[cut:]
    found += list(decoder.feed(stream))
    assert [frames.WORD.pack(kind << 24 | len(body)) + body for kind, body in found] == built


@pytest.mark.parametrize(("kind", "bounds"), frames.LENGTHS.items())
def test_lengths_are_checked_before_the_body_is_there(kind: int, bounds: tuple[int, int]) -> None:
    for length in (bounds[0] - 1, bounds[1] + 1, 0xFFFFFF):
        if length >= 0:
            with pytest.raises(ProtocolError) as caught:
                list(Decoder().feed(frames.WORD.pack(kind << 24 | length)))
            assert caught.value.reason == "frame-length"


@pytest.mark.parametrize("kind", [0, 9, 255])
def test_unknown_types_are_named(kind: int) -> None:
    with pytest.raises(ProtocolError) as caught:
        list(Decoder().feed(frames.WORD.pack(kind << 24)))
    assert caught.value.reason == "unknown-frame"


def test_long_text_is_cut() -> None:
    ((kind, body),) = Decoder().feed(frames.end(1, "ä" * 500))
    assert (kind, len(body)) == (frames.END, 1 + frames.MAX_TEXT)
