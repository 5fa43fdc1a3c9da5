"""Frames in one piece become what a port hands over, and back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.header import SIZE
from alagg.ports.base import arrival, whole


@given(st.lists(st.binary(max_size=3 * SIZE)))
def test_frames_survive_except_those_too_short_for_a_header(frames: list[bytes]) -> None:
    remote, headers, payloads = arrival(b"remote", frames)
    assert (remote, len(headers), len(payloads)) == (b"remote", SIZE * len(frames), len(frames))
    assert list(whole(headers, payloads)) == [frame for frame in frames if len(frame) >= SIZE]
    assert [payload is None for payload in payloads] == [len(frame) < SIZE for frame in frames]


@given(st.integers(SIZE, 64), st.lists(st.binary(max_size=5)), st.integers(0, 9))
def test_headers_that_are_sent_may_be_larger(stride: int, payloads: list[bytes], count: int) -> None:
    headers = [b"%0*d" % (stride, number) for number in range(len(payloads))]
    frames = [header + payload for header, payload in zip(headers, payloads, strict=True)]
    assert list(whole(bytearray().join(headers), payloads)) == frames
    assert list(whole(bytearray().join(headers), payloads, count)) == frames[:count]


def test_header_of_a_short_frame_is_zeros() -> None:
    assert arrival(b"remote", [b"x" * 23, b"y" * 24]) == (b"remote", bytes(24) + b"y" * 24, [None, b""])
