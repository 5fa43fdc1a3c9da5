"""The trace wrapper logs each frame in one line, and costs nothing above level debug."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from google_crc32c import extend as crc32c

from alagg.engine.header import DATA, PROBE, encode
from alagg.ports.memory import pair
from alagg.ports.trace import Trace

if TYPE_CHECKING:
    import pytest

PREFIX = bytes(14)


def header(payload: bytes, *, frame_type: int = DATA, piece: int = 0, last_piece: int = 0) -> bytes:
    return encode(frame_type, 0xA1A66, 0, 7, 2, 9, piece, last_piece, len(payload), crc32c(0, payload))


def test_one_line_per_frame(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "alagg")
    one, other = pair(prefixes=(PREFIX, PREFIX))
    sender, receiver = Trace(one, "fibre"), Trace(other, "radio")
    one.room = 2
    headers = [header(b"abc"), header(b"cookie..", frame_type=PROBE), header(b"")]
    assert sender.send(headers, [b"abc", b"cookie..", b""]) == 2
    assert [frame[14:] for frame in receiver.receive()] == [
        headers[0] + b"abc",
        headers[1] + b"cookie..",
    ]
    rest = "lane 0, epoch 000a1a66, link 2, link sequence 9"
    assert [record.getMessage() for record in caplog.records] == [
        f"fibre > data sequence 7, {rest}, 3 bytes",
        f"fibre > probe sequence 7, {rest}, 8 bytes",
        "fibre is full: 1 frames not taken",
        f"radio < data sequence 7, {rest}, 3 bytes",
        f"radio < probe sequence 7, {rest}, 8 bytes",
    ]
    sender.close()
    receiver.close()
    assert one.fileno() == other.fileno() == -1


def test_pieces_and_malformed_frames_say_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "alagg")
    one, other = pair()
    trace = Trace(other, "radio")
    one.send([header(b"abc", piece=1, last_piece=4), header(b"abc")], [b"abc", b"abd"])
    trace.receive()
    assert "sequence 7, piece 2 of 5, lane" in caplog.messages[0]
    assert caplog.messages[1] == "radio < malformed frame: bad_checksum, 27 bytes"
    one.close()
    other.close()


def test_silent_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "alagg")
    one, other = pair(mtu=1280)
    trace = Trace(one, "fibre")
    assert (trace.mtu, trace.offset, trace.fileno()) == (1280, 0, one.fileno())
    trace.send([header(b"")], [b""])
    trace.receive()
    assert caplog.messages == []
    trace.close()
    other.close()
