"""Whatever bytes come, cutting gives segments that say the same, or the bytes back; it never reads beyond them."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from alagg.engine.segment import complete, cut
from tests import forms
from tests.engine.packets import UDP, Packet, packets, parse

pytestmark = pytest.mark.fuzz


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Give a packet some of whose bytes were overwritten, cut off or added, its length made right again or not."""
    data = bytearray(draw(st.one_of(packets(max_payload=400), packets(UDP, 400))).pack_partial())
    for _ in range(draw(st.integers(0, 4))):
        data[draw(st.integers(0, min(len(data) - 1, 90)))] = draw(st.integers(0, 255))
    if draw(st.booleans()):
        data = data[: draw(st.integers(1, len(data)))]
    if draw(st.booleans()) and len(data) > 6:
        at, length = (2, len(data)) if data[0] >> 4 == 4 else (4, len(data) - 40)
        data[at : at + 2] = (length % 2**16).to_bytes(2, "big")
    return bytes(data)


def check(data: bytes, size: int) -> None:
    segments = cut(data, size)
    if segments == [data]:
        return
    if len(segments) == 1:
        assert segments == [complete(data)]
        return
    parts = [parse(segment) for segment in segments]
    header = len(segments[0]) - len(parts[0].payload)
    assert max(map(len, segments)) <= size
    assert {len(part.payload) for part in parts[:-1]} == {size - header}
    assert 0 < len(parts[-1].payload) <= size - header
    assert b"".join(part.payload for part in parts) == data[header:]


def check_completion(data: bytes) -> None:
    completed = complete(data)
    changed = [index for index, (before, after) in enumerate(zip(data, completed, strict=True)) if before != after]
    assert not changed or changed[-1] - changed[0] <= 1
    assert complete(completed) == completed


@given(st.binary(max_size=300), st.integers(0, 300))
@example(b"\x45" * 20, 0)
@example(b"\x60" + bytes(39), 0)
@example(b"\x60\x00\x00\x00\x00\x00\x00\x40" + bytes(32), 0)
def test_arbitrary_bytes(data: bytes, size: int) -> None:
    check(data, size)
    check_completion(data)


@given(mutated(), st.integers(0, 600))
def test_mutated_packets(data: bytes, size: int) -> None:
    check(data, size)
    check_completion(data)


@given(packets(max_payload=200), st.data())
def test_every_shorter_packet(packet: Packet, draw: st.DataObject) -> None:
    data = packet.pack()
    data = data[: draw.draw(st.integers(0, len(data) - 1))]
    assert cut(data, 100) == [data]
    assert complete(data) == data


@forms.needs_compiled
@given(st.one_of(mutated(), st.binary(max_size=200)), st.integers(0, 600))
def test_both_forms_are_one(data: bytes, size: int) -> None:
    plain, compiled = [(engine.segment.cut(data, size), engine.segment.complete(data)) for engine in forms.both()]
    assert compiled == plain
