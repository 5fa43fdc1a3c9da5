"""Whatever bytes come, the header's codec answers with a frame or with a reason, and never with anything else."""

from __future__ import annotations

import pytest
from google_crc32c import value as crc32c
from hypothesis import example, given
from hypothesis import strategies as st

from alagg.engine.header import (
    MALFORMED_REASONS,
    SIZE,
    TYPES,
    Frame,
    FrameValues,
    MalformedFrameError,
    decode,
    encode,
)
from alagg.engine.specification import HEADER
from alagg.ports.trace import describe

pytestmark = pytest.mark.fuzz

_BYTE = st.integers(0, 0xFF)
_WORD = st.integers(0, 0xFFFF_FFFF)


def check(data: bytes, offset: int = 0) -> None:
    """Decode; a frame that is refused has a known reason, and one that is accepted was understood in every bit."""
    try:
        values = decode(data, offset)
    except MalformedFrameError as error:
        reason = error.reason
    else:
        check_accepted(data, offset, values)
        return
    assert reason in MALFORMED_REASONS


def check_accepted(data: bytes, offset: int, values: FrameValues) -> None:
    payload = values[-1]
    whole = encode(*values[:-1], len(payload), crc32c(payload)) + payload
    assert data[offset : offset + len(whole)] == whole
    assert HEADER.parse(whole).payload_length == len(payload)


@st.composite
def frames(draw: st.DrawFn) -> bytes:
    payload = draw(st.binary(max_size=300))
    header = encode(
        frame_type=draw(st.sampled_from(sorted(TYPES))),
        epoch=draw(_WORD),
        lane=draw(st.integers(0, 15)),
        sequence=draw(_WORD),
        link_id=draw(_BYTE),
        link_sequence=draw(_WORD),
        piece=draw(_BYTE),
        last_piece=draw(_BYTE),
        payload_length=len(payload),
        payload_checksum=crc32c(payload),
    )
    return header + payload


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Give a frame some of whose stretches were overwritten, cut out, doubled or filled in."""
    data = draw(frames())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = draw(st.integers(start, min(len(data), start + 40)))
        middle = draw(st.one_of(st.binary(max_size=40), st.just(data[start:end] * 2)))
        data = data[:start] + middle + data[end:]
    return data


@st.composite
def sealed(draw: st.DrawFn) -> bytes:
    """Give arbitrary bytes under a checksum that is right, so that the other checks are all that is left."""
    fields = draw(st.binary(min_size=SIZE - 4, max_size=SIZE - 4))
    payload = draw(st.binary(max_size=60))
    fields = bytes([0x20 | fields[0] & 0x07, fields[1] & 0x11]) + len(payload).to_bytes(2, "big") + fields[4:]
    checksum: int = crc32c(payload + fields)
    return fields + checksum.to_bytes(4, "big") + payload


@given(st.binary(max_size=2000), st.integers(0, 100))
@example(b"\xff" * 65_600, 0)
@example(b"\x21" + bytes(23), 0)
def test_arbitrary_bytes(data: bytes, offset: int) -> None:
    check(data, offset)


@given(mutated())
def test_mutated_frames(data: bytes) -> None:
    check(data)


@given(sealed(), st.binary(max_size=30))
def test_sealed_nonsense(data: bytes, padding: bytes) -> None:
    check(data + padding)


@given(frames(), st.data())
def test_every_field_set_to_anything(data: bytes, draw: st.DataObject) -> None:
    position = draw.draw(st.integers(0, SIZE - 1))
    check(data[:position] + bytes([draw.draw(_BYTE)]) + data[position + 1 :])


@given(st.one_of(st.binary(max_size=200), mutated(), frames()))
def test_trace_describes_anything_in_a_line(data: bytes) -> None:
    assert "\n" not in describe(data)


@given(frames())
def test_good_frames_stay_good(data: bytes) -> None:
    if data[13] <= data[14]:
        assert len(Frame(*decode(data)).payload) == len(data) - SIZE
