"""The compiled Ethernet edge beside its plain twin: the same frames, in each way in which a socket answers."""

from __future__ import annotations

import errno
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.ports.base import BATCH
from tests.native.forms import FORMS, compiled, plain
from tests.native.leak import ALLOWED, growth

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PREFIX: Final = bytes(range(14))

Pair = tuple[socket.socket, socket.socket]


@contextmanager
def joined() -> Iterator[Pair]:
    """Give two ends of a link between which frames stay apart."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with ours, theirs:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        yield ours, theirs


@pytest.fixture
def pair() -> Iterator[Pair]:
    with joined() as ends:
        yield ends


@pytest.fixture(params=FORMS)
def edge(request: pytest.FixtureRequest) -> Any:
    return FORMS[request.param]("packet")


def sent(edge: Any, prefix: bytes, frames: Sequence[tuple[bytes, bytes]]) -> object:
    with joined() as (ours, theirs):
        headers, payloads = [header for header, _ in frames], [payload for _, payload in frames]
        taken = edge.Sender(ours, prefix).send(headers, payloads)
        return taken, [theirs.recv(1 << 17) for _ in range(taken)]


@given(st.binary(max_size=20), st.lists(st.tuples(st.binary(max_size=90), st.binary(max_size=200)), max_size=70))
def test_both_forms_send_the_same(prefix: bytes, frames: list[tuple[bytes, bytes]]) -> None:
    assert sent(compiled("packet"), prefix, frames) == sent(plain("packet"), prefix, frames)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=2 * BATCH), st.integers(1, 400))
def test_both_forms_receive_the_same(frames: list[bytes], size: int) -> None:
    def received(edge: Any) -> object:
        with joined() as (ours, theirs):
            receiver = edge.Receiver(theirs, size)
            for frame in frames:
                ours.send(frame)
            return [receiver.receive() for _ in range(3)]

    assert received(compiled("packet")) == received(plain("packet"))


def test_more_than_one_call_takes(edge: Any, pair: Pair) -> None:
    """600 frames: the compiled form hands 256 to the kernel at once."""
    numbers = [b"%d" % number for number in range(600)]
    pair[0].setsockopt(socket.SOL_SOCKET, 32, 8 << 20)  # SO_SNDBUFFORCE; without the right for it there is less room
    taken = edge.Sender(pair[0], PREFIX).send(numbers, numbers)
    assert [pair[1].recv(100) for _ in range(taken)] == [PREFIX + number * 2 for number in numbers[:taken]]
    assert taken > 256


def test_full_link_takes_the_first_ones(edge: Any, pair: Pair) -> None:
    many = [b"%06d" % number for number in range(100_000)]
    taken = edge.Sender(pair[0], PREFIX).send(many, many)
    assert 0 < taken < len(many)
    assert edge.Sender(pair[0], PREFIX).send(many, many) == 0
    assert [pair[1].recv(100)[14:20] for _ in range(taken)] == many[:taken]


def test_failure_behind_frames_that_were_taken_comes_with_the_next_call(edge: Any, pair: Pair) -> None:
    sender = edge.Sender(pair[0], PREFIX)
    huge = bytes(8 << 20)
    assert sender.send([b"a", b"b", b"c"], [b"", huge, b""]) == 1
    with pytest.raises(OSError) as caught:
        sender.send([b"b", b"c"], [huge, b""])
    assert caught.value.errno == errno.EMSGSIZE


def test_other_side_that_is_gone_is_an_error(edge: Any, pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(OSError) as caught:
        edge.Sender(pair[0], PREFIX).send([b"a"], [b""])
    assert caught.value.errno == errno.EPIPE


def test_socket_that_cannot_receive_is_an_error(edge: Any, pair: Pair) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as unconnected:
        unconnected.setblocking(False)
        with pytest.raises(OSError) as caught:
            edge.Receiver(unconnected, 100).receive()
        assert caught.value.errno == errno.ENOTCONN


def test_as_many_payloads_as_headers(edge: Any, pair: Pair) -> None:
    with pytest.raises(ValueError, match=r"argument 2|as many payloads"):
        edge.Sender(pair[0], PREFIX).send([b"a", b"b"], [b""])


@pytest.mark.parametrize(("header", "payload"), [(None, b""), (b"", None), (bytearray(2), b""), ("text", b"")])
def test_what_is_no_bytes_is_refused(pair: Pair, header: Any, payload: Any) -> None:
    with pytest.raises(TypeError):
        compiled("packet").Sender(pair[0], PREFIX).send([header], [payload])


@pytest.mark.parametrize("size", [-1, 0, (1 << 20) + 1])
def test_impossible_size_is_refused(pair: Pair, size: int) -> None:
    with pytest.raises(ValueError, match="1 byte to 1 MiB"):
        compiled("packet").Receiver(pair[0], size)


def test_nothing_is_kept(pair: Pair) -> None:
    edge = compiled("packet")
    sender, receiver = edge.Sender(pair[0], PREFIX), edge.Receiver(pair[1], 2000)

    def exchange() -> None:
        assert sender.send([bytes(24)] * 4, [bytes(1000)] * 4) == 4
        assert len(receiver.receive()) == 4

    assert growth(exchange) < ALLOWED
    assert growth(lambda: edge.Receiver(pair[1], 2000)) < ALLOWED
    assert growth(lambda: edge.Sender(pair[0], PREFIX)) < ALLOWED
