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


def header(payload: bytes, *, frame_type: int = DATA, piece: int = 0, last_piece: int = 0) -> bytes:
    return encode(frame_type, 0xA1A66, 0, 7, 2, 9, piece, last_piece, len(payload), crc32c(0, payload))


def test_one_line_per_frame(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "alagg")
    one, other = pair(addresses=(b"\2\0\0\0\0\1", b"\2\0\0\0\0\2"))
    sender, receiver = Trace(one, "eth0"), Trace(other, "eth1")
    one.room = 2
    headers = [header(b"abc"), header(b"cookie..", frame_type=PROBE), header(b"")]
    assert sender.send(other.address, bytearray().join(headers), [b"abc", b"cookie..", b""]) == 2
    assert receiver.receive() == [(one.address, headers[0] + headers[1], [b"abc", b"cookie.."])]
    rest = "lane 0, epoch 000a1a66, link 2, link sequence 9"
    assert [record.getMessage() for record in caplog.records] == [
        f"eth0 02:00:00:00:00:02 > data sequence 7, {rest}, 3 bytes",
        f"eth0 02:00:00:00:00:02 > probe sequence 7, {rest}, 8 bytes",
        "eth0 02:00:00:00:00:02 is full: 1 frames not taken",
        f"eth1 02:00:00:00:00:01 < data sequence 7, {rest}, 3 bytes",
        f"eth1 02:00:00:00:00:01 < probe sequence 7, {rest}, 8 bytes",
    ]
    sender.close()
    receiver.close()
    assert one.fileno() == other.fileno() == -1


def test_pieces_and_malformed_frames_say_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "alagg")
    one, other = pair()
    trace = Trace(other, "radio")
    one.send(other.address, bytearray(header(b"abc", piece=1, last_piece=4) + header(b"abc")), [b"abc", b"abd"])
    trace.receive()
    assert "sequence 7, piece 2 of 5, lane" in caplog.messages[0]
    assert caplog.messages[1] == "radio 6d:65:6d:6f:72:79 < malformed frame: bad_checksum, 27 bytes"
    one.close()
    other.close()


def test_silent_above_debug(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "alagg")
    one, other = pair()
    trace = Trace(one, "fibre")
    assert (trace.fileno(), trace.sends_by) == (one.fileno(), ("memory", ""))
    trace.set_own_mac(b"sender")
    assert one.address == b"sender"
    trace.send(other.address, bytearray(header(b"")), [b""])
    trace.receive()
    assert caplog.messages == []
    trace.close()
    other.close()
