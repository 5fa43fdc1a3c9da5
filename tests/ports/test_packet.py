"""The plain twins of the compiled Ethernet edge: batches on a socket, full, empty, and broken."""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING, cast

import pytest

from alagg.ports.base import BATCH
from alagg.ports.packet import FrameReceiver, FrameSender
from tests.ports.batches import HEADER, batch, payloads_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PREFIX = b"target" + b"source" + b"\x88\xb5"
FIVE = batch(*[b""] * 5)


class Refusing:
    """A socket that takes or gives some frames, then fails."""

    def __init__(self, good: int, number: int) -> None:
        self.good = good
        self.error = OSError(number, "as told")

    def sendmsg(self, buffers: Sequence[bytes]) -> int:
        return len(self.recv(sum(map(len, buffers))))

    def recv(self, size: int) -> bytes:
        if not self.good:
            raise self.error
        self.good -= 1
        return bytes(size)


def refusing(good: int, number: int) -> socket.socket:
    return cast("socket.socket", Refusing(good, number))


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with left, right:
        left.setblocking(False)
        right.setblocking(False)
        yield left, right


def test_frames_cross_whole_and_in_order(pair: tuple[socket.socket, socket.socket]) -> None:
    payloads = [b"p%d" % n for n in range(5)]
    headers = bytearray().join(b"%024d" % n for n in range(5))
    assert FrameSender(pair[0]).send(PREFIX, headers, payloads) == 5
    receiver = FrameReceiver(pair[1], 100)
    assert receiver.receive() == [(b"source", bytes(headers), payloads)]
    assert receiver.receive() == []


def test_payloads_are_cut_to_the_size_that_was_asked_for(pair: tuple[socket.socket, socket.socket]) -> None:
    FrameSender(pair[0]).send(PREFIX, *batch(b"payload"))
    assert FrameReceiver(pair[1], 3).receive() == [(b"source", HEADER, [b"pay"])]


def test_receives_a_batch_at_most() -> None:
    receiver = FrameReceiver(refusing(BATCH + 1, errno.EAGAIN), 1)
    assert len(payloads_of(receiver.receive())) == BATCH


def test_full_socket_takes_the_first_ones(pair: tuple[socket.socket, socket.socket]) -> None:
    sender = FrameSender(pair[0])
    many = [b"%04d" % number for number in range(100_000)]
    taken = sender.send(PREFIX, *batch(*many))
    assert 0 < taken < len(many)
    assert sender.send(PREFIX, *batch(*many)) == 0
    assert payloads_of(FrameReceiver(pair[1], 100).receive())[:2] == [b"0000", b"0001"]


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOBUFS])
@pytest.mark.parametrize("good", [0, 2])
def test_full_link_is_no_error(number: int, good: int) -> None:
    assert FrameSender(refusing(good, number)).send(PREFIX, *FIVE) == good


def test_failure_behind_frames_that_were_taken_comes_with_the_next_call() -> None:
    sock = refusing(2, errno.ENETDOWN)
    sender = FrameSender(sock)
    assert sender.send(PREFIX, *FIVE) == 2
    with pytest.raises(OSError, match="as told"):
        sender.send(PREFIX, *FIVE)


def test_failure_behind_frames_that_came_comes_with_the_next_call() -> None:
    receiver = FrameReceiver(refusing(2, errno.ENETDOWN), 1)
    assert len(payloads_of(receiver.receive())) == 2
    with pytest.raises(OSError, match="as told"):
        receiver.receive()
