"""Writing items, in both forms: each is one write with its pieces in order, and each failure is counted by name."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Any

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
