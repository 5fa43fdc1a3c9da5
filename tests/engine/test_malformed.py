"""What came damaged, too short or too long: it is counted by its reason and moves nothing; padding is no payload."""

from __future__ import annotations

import pytest

from alagg.engine.fragment import split
from alagg.engine.header import MALFORMED_REASONS, SIZE, decode
from tests.engine.helpers import batch, data_frames, frame, numbered, take_frames
from tests.engine.test_receiver import Script, probe

MALFORMED = {
    "truncated": frame(5, b"payload")[: SIZE - 1],
    "unknown_version": b"\x11" + frame(5, b"payload")[1:],
    "unknown_type": b"\x2f" + frame(5, b"payload")[1:],
    "unknown_flags": frame(5, b"payload")[:1] + b"\x10" + frame(5, b"payload")[2:],
    "unknown_key": frame(5, b"payload")[:1] + b"\x01" + frame(5, b"payload")[2:],
    "unknown_class": frame(5, b"payload", lane=0x10),
    "bad_length": frame(5, b"payload")[:-1],
    "bad_piece": frame(5, b"payload", place=(2, 1)),
    "bad_checksum": frame(5, b"payload")[:-1] + b"X",
}


def state(script: Script) -> list[object]:
    """Give all that a frame may move, besides the counters of malformed ones."""
    receiver, link = script.receiver, script.links[0]
    lane = receiver.lanes[0]
    track = lane.tracks[link]
    return [
        link.rx_frames, link.rx_bytes, link.rx_last, len(link.payloads),
        receiver.frames, receiver.probes, receiver.replies, receiver.bad_cookie, receiver.control_frames,
        receiver.delivered, dict(receiver.refused), len(receiver.lanes), receiver.deadline(),
        lane.recovery.counters(), lane.reorder.held, lane.rejoiner.waiting,
        track.received, track.expected, track.passed, track.reordered,
    ]  # fmt: skip


@pytest.mark.parametrize("reason", MALFORMED_REASONS)
def test_malformed_frame_is_counted_and_moves_nothing(reason: str) -> None:
    script = Script()
    script.on(0, 0)
    before = state(script)
    script.frames(0, MALFORMED[reason], now=5.0)
    assert script.links[0].malformed == {**dict.fromkeys(MALFORMED_REASONS, 0), reason: 1}
    assert state(script) == before
    assert script.on(0, 1, now=5.0) == [1]


def test_every_single_bit_counts() -> None:
    """No frame with one bit flipped is taken for a frame: it neither comes out nor eliminates the good copy."""
    script = Script()
    script.on(0, 0)
    (good,) = data_frames([1])
    for bit in range(8 * len(good)):
        bad = bytearray(good)
        bad[bit >> 3] ^= 0x80 >> (bit & 7)
        assert script.frames(0, bytes(bad)) == []
    assert sum(script.links[0].malformed.values()) == 8 * len(good)
    assert script.on(1, 1) == [1]


def test_padding_behind_the_payload_is_left_out() -> None:
    script = Script()
    padded = [data + bytes(30) for data in data_frames(range(3))]
    script.receiver.receive(script.links[0], *batch(padded), 0.0)
    assert script.receiver.packets == numbered(range(3))
    assert script.links[0].rx_bytes == sum(map(len, padded))


def test_padding_of_a_piece_and_of_a_probe_is_left_out() -> None:
    script = Script()
    (packet,) = numbered([42], 3000)
    pieces = [frame(number, piece, place=(number, 3)) for number, piece in enumerate(split(packet, 1000))]
    script.receiver.receive(script.links[0], *batch(data + bytes(30) for data in [probe(), *pieces]), 0.0)
    assert script.receiver.packets == [packet]
    (answer,) = take_frames(script.links[0])
    assert decode(answer)[8] == b"12345678"


def test_frame_too_short_for_a_header_is_truncated_whatever_stands_in_its_place() -> None:
    headers, payloads = batch(data_frames([0, 1, 2]))
    payloads[1] = None
    for standing_in in (headers[SIZE : 2 * SIZE], bytes(SIZE), b"\xff" * SIZE):
        script = Script()
        script.links[1].answering = False
        script.receiver.receive(script.links[0], headers[:SIZE] + standing_in + headers[2 * SIZE :], payloads, 0.0)
        assert script.links[0].malformed == {**dict.fromkeys(MALFORMED_REASONS, 0), "truncated": 1}
        assert (script.receiver.frames, script.out()) == (2, [0, 2])
        assert script.on(1, 1) == [1]
