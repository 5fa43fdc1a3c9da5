"""Both forms of reading and writing: each item is one write, each packet one read, each failure is counted."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.engine.merge import ALONE
from tests.native.forms import FORMS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.engine.merge import Item


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Give two ends between which each write stays one message, as with a device."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture(params=FORMS)
def writer(request: pytest.FixtureRequest, pair: tuple[socket.socket, socket.socket]) -> Any:
    return FORMS[request.param]("tun").Writer(pair[0].fileno())


def alone(packet: bytes) -> Item:
    return ALONE, packet, [], 0


def written(end: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(end.recv(1 << 20))
        except BlockingIOError:
            return found


def test_each_item_is_one_write(writer: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    items = [alone(b"one"), (b"v" * 10, b"head", [b"xxfirst", b"yy", b"zzlast"], 2), alone(b"")]
    assert writer.write(items) == 3
    assert written(pair[1]) == [ALONE + b"one", b"v" * 10 + b"headfirstlast", ALONE]
    assert (writer.written, writer.refused) == (5, {})


def test_nothing_to_write(writer: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    assert writer.write([]) == 0
    assert written(pair[1]) == []


def test_more_than_one_round_keeps_its_order(writer: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    """200 items, and 12 of 64 packets each: more than the compiled form prepares at once."""
    small = [alone(b"%d" % number) for number in range(200)]
    large: list[Item] = [(ALONE, b"%d:" % number, [b"-%c" % (65 + place % 26) for place in range(64)], 1)
                         for number in range(12)]
    expected = [ALONE + b"%d" % number for number in range(200)]
    expected += [ALONE + b"%d:" % number + bytes(65 + place % 26 for place in range(64)) for number in range(12)]
    found: list[bytes] = []
    for start in range(0, 212, 106):
        assert writer.write([*small, *large][start : start + 106]) == 106
        found += written(pair[1])
    assert found == expected
    assert writer.written == 200 + 12 * 64


def test_refused_packets_are_counted_by_name_and_hold_nothing_up(
    writer: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    big: Item = (ALONE, b"h", [bytes(100_000)] * 3, 0)
    assert writer.write([alone(b"a"), big, alone(bytes(100_000)), alone(b"b")]) == 4
    assert written(pair[1]) == [ALONE + b"a", ALONE + b"b"]
    assert (writer.written, writer.refused) == (2, {"EMSGSIZE": 4})


def test_full_queue_is_counted(writer: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    items = [alone(bytes(1000))] * 10_000
    assert writer.write(items) == 10_000
    assert writer.refused["EAGAIN"] == 10_000 - writer.written
    assert 0 < writer.written == len(written(pair[1])) < 10_000


# --- reading ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=FORMS)
def reader(request: pytest.FixtureRequest, pair: tuple[socket.socket, socket.socket]) -> Any:
    return FORMS[request.param]("tun").Reader(pair[0].fileno())


FINISHED: Final = bytes(10)
OPEN: Final = b"\x01" + bytes(9)


def test_each_packet_comes_with_what_is_left_to_do(reader: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    kind_only = b"\x00\x05" + bytes(8)
    for data in (FINISHED + b"one", OPEN + b"second", kind_only + b"3"):
        pair[1].send(data)
    assert reader.read() == ([b"one", b"second", b"3"], [None, OPEN, kind_only])
    assert reader.read() == ([], [])
    assert reader.malformed == 0


def test_what_is_no_packet_is_counted(reader: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    for data in (b"short", FINISHED, FINISHED + b"x"):
        pair[1].send(data)
    assert reader.read() == ([b"x"], [None])
    assert reader.malformed == 2


def test_a_read_is_bounded(reader: Any, pair: tuple[socket.socket, socket.socket]) -> None:
    for number in range(100):
        pair[1].send(FINISHED + bytes([number]))
    assert [len(reader.read()[0]) for _ in range(3)] == [64, 36, 0]


@pytest.mark.netns
def test_a_read_of_the_largest_packets_is_bounded_by_their_bytes(
    reader: Any, pair: tuple[socket.socket, socket.socket]
) -> None:
    pair[1].setsockopt(socket.SOL_SOCKET, 32, 4 << 20)  # SO_SNDBUFFORCE
    sent = [bytes([number]) * 65_535 for number in range(10)]
    for data in sent:
        pair[1].send(OPEN + data)
    assert [reader.read() for _ in range(3)] == [(sent[:8], [OPEN] * 8), (sent[8:], [OPEN] * 2), ([], [])]


@pytest.mark.netns
@pytest.mark.parametrize("form", FORMS)
def test_reading_from_a_device_that_is_gone_is_an_error(form: str) -> None:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        with pytest.raises(OSError, match="bad state"):
            FORMS[form]("tun").Reader(descriptor).read()
    finally:
        os.close(descriptor)


@pytest.mark.netns
@pytest.mark.parametrize("form", FORMS)
def test_stops_where_the_device_is_gone(form: str) -> None:
    descriptor = os.open("/dev/net/tun", os.O_RDWR)  # no queue of any device, like one whose device was deleted
    try:
        writer = FORMS[form]("tun").Writer(descriptor)
        assert writer.write([alone(b"a"), alone(b"b")]) == 0
        assert (writer.written, writer.refused) == (0, {})
    finally:
        os.close(descriptor)
