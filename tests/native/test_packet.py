"""The compiled Ethernet edge beside its plain twin: the same frames, in each way in which a socket answers."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.ports.base import BATCH, MAX_HEADER
from tests.native.forms import FORMS, compiled
from tests.native.leak import ALLOWED, growth

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def numbered(count: int) -> tuple[bytearray, list[bytes]]:
    """Give frames whose header and payload carry their number."""
    return bytearray().join(b"%024d" % number for number in range(count)), [b"%d" % number for number in range(count)]


@given(
    st.binary(min_size=14, max_size=14),
    st.integers(24, MAX_HEADER),
    st.lists(st.tuples(st.binary(min_size=MAX_HEADER, max_size=MAX_HEADER), st.binary(max_size=200)), max_size=70),
)
def test_both_forms_send_the_frames(prefix: bytes, stride: int, frames: list[tuple[bytes, bytes]]) -> None:
    """Headers of every size that one may have."""
    frames = [(header[:stride], payload) for header, payload in frames]
    for form in FORMS.values():
        with joined() as (ours, theirs):
            headers = bytearray().join(header for header, _ in frames)
            payloads = [payload for _, payload in frames]
            assert form("packet").FrameSender(ours).send(prefix, headers, payloads) == len(frames)
            assert [theirs.recv(1 << 17) for _ in frames] == [prefix + header + payload for header, payload in frames]


payload_sizes = st.one_of(st.integers(0, 300), st.integers(1530, 1545), st.just(9000))


@given(
    st.lists(st.tuples(st.sampled_from([b"source", b"SOURCE"]), payload_sizes), max_size=2 * BATCH),
    st.sampled_from([300, 1536, 1537, 10_000]),
)
def test_both_forms_receive_the_frames(frames: list[tuple[bytes, int]], size: int) -> None:
    """Payloads of every way: copied, in an object of their own, joined from two places, cut off."""
    for form in FORMS.values():
        with joined() as (ours, theirs):
            receiver = form("packet").FrameReceiver(theirs, size)
            found: list[tuple[bytes, bytes, bytes]] = []
            for start in range(0, len(frames), BATCH):
                batch = list(enumerate(frames))[start : start + BATCH]
                for number, (source, length) in batch:
                    ours.send(b"target" + source + b"\x88\xb5" + b"%024d" % number + bytes([number]) * length)
                found += flat(receiver.receive())
            assert found == [
                (source, b"%024d" % number, bytes([number]) * min(length, size))
                for number, (source, length) in enumerate(frames)
            ]


def flat(arrivals: Any) -> list[tuple[bytes, bytes, bytes]]:
    """Give one entry for each frame: source, header, payload."""
    return [
        (source, headers[24 * at : 24 * at + 24], payload)
        for source, headers, payloads in arrivals for at, payload in enumerate(payloads)
    ]


@pytest.mark.parametrize("size", [14, 15, 37])
def test_frame_too_short_for_a_header_comes_without(edge: Any, pair: Pair, size: int) -> None:
    pair[0].send(b"targetsource\x88\xb5".ljust(size, b"h"))
    pair[0].send(b"targetsource\x88\xb5" + b"H" * 24)
    assert edge.FrameReceiver(pair[1], 100).receive() == [(b"source", bytes(24) + b"H" * 24, [None, b""])]


@given(st.lists(st.tuples(st.integers(0, 1600), st.booleans(), st.booleans()), max_size=60), st.integers(1, 9))
def test_payload_that_somebody_keeps_never_changes(frames: list[tuple[int, bool, bool]], at_once: int) -> None:
    """Objects that nobody keeps are read into again; hashes that were asked for follow what is in them."""
    with joined() as (ours, theirs):
        receiver = compiled("packet").FrameReceiver(theirs, 2000)
        kept: list[tuple[bytes, bytes]] = []
        for start in range(0, len(frames), at_once):
            batch = frames[start : start + at_once]
            wanted = [os.urandom(size) for size, _, _ in batch]
            for payload in wanted:
                ours.send(PREFIX + bytes(24) + payload)
            found = [payload for _, _, payload in flat(receiver.receive())]
            assert found == wanted
            for payload, copy, (_, keep, ask) in zip(found, wanted, batch, strict=True):
                if ask:
                    assert hash(payload) == hash(copy)
                if keep:
                    kept.append((payload, copy))
            del found, payload
            for payload, copy in kept:
                assert payload == copy
                assert hash(payload) == hash(copy)
                assert payload + b"!" == copy + b"!"


def test_headers_of_another_size_may_follow(edge: Any, pair: Pair) -> None:
    sender = edge.FrameSender(pair[0])
    for size in (28, 24, 64, 28):
        assert sender.send(PREFIX, bytearray(b"h" * size + b"H" * size), [b"one", b"other"]) == 2
        assert [pair[1].recv(100) for _ in "12"] == [PREFIX + b"h" * size + b"one", PREFIX + b"H" * size + b"other"]
    assert sender.send(PREFIX, bytearray(), []) == 0


def test_more_than_one_call_takes(edge: Any, pair: Pair) -> None:
    """600 frames: the compiled form hands 256 to the kernel at once."""
    headers, numbers = numbered(600)
    pair[0].setsockopt(socket.SOL_SOCKET, 32, 8 << 20)  # SO_SNDBUFFORCE; without the right for it there is less room
    taken = edge.FrameSender(pair[0]).send(PREFIX, headers, numbers)
    assert [pair[1].recv(100) for _ in range(taken)] == [PREFIX + b"%024d%d" % (at, at) for at in range(taken)]
    assert taken > 256


def test_full_link_takes_the_first_ones(edge: Any, pair: Pair) -> None:
    headers, payloads = numbered(100_000)
    taken = edge.FrameSender(pair[0]).send(PREFIX, headers, payloads)
    assert 0 < taken < len(payloads)
    assert edge.FrameSender(pair[0]).send(PREFIX, headers, payloads) == 0
    assert [pair[1].recv(100)[38:] for _ in range(taken)] == payloads[:taken]


def test_failure_behind_frames_that_were_taken_comes_with_the_next_call(edge: Any, pair: Pair) -> None:
    sender = edge.FrameSender(pair[0])
    huge = bytes(8 << 20)
    assert sender.send(PREFIX, bytearray(72), [b"", huge, b""]) == 1
    with pytest.raises(OSError) as caught:
        sender.send(PREFIX, bytearray(48), [huge, b""])
    assert caught.value.errno == errno.EMSGSIZE


def test_other_side_that_is_gone_is_an_error(edge: Any, pair: Pair) -> None:
    pair[1].close()
    with pytest.raises(OSError) as caught:
        edge.FrameSender(pair[0]).send(PREFIX, bytearray(24), [b""])
    assert caught.value.errno == errno.EPIPE


def test_socket_that_cannot_receive_is_an_error(edge: Any, pair: Pair) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as unconnected:
        unconnected.setblocking(False)
        with pytest.raises(OSError) as caught:
            edge.FrameReceiver(unconnected, 100).receive()
        assert caught.value.errno == errno.ENOTCONN


@pytest.mark.parametrize(("prefix", "headers"), [
    (PREFIX, 46), (PREFIX, 47), (PREFIX, 49), (PREFIX, 130), (PREFIX, 0), (PREFIX[1:], 48), (b"", 48),
])
def test_impossible_batch_is_refused(pair: Pair, prefix: bytes, headers: int) -> None:
    with pytest.raises(ValueError, match="an Alagg header for each payload"):
        compiled("packet").FrameSender(pair[0]).send(prefix, bytearray(headers), [b"", b""])


@pytest.mark.parametrize(("prefix", "headers", "payloads"), [
    (None, bytearray(24), [b""]), (PREFIX, None, [b""]), (PREFIX, bytearray(24), None),
    (PREFIX, bytearray(24), [None]), (PREFIX, bytearray(24), ["text"]), (PREFIX, bytes(24), [b""]),
])
def test_what_is_no_bytes_is_refused(pair: Pair, prefix: Any, headers: Any, payloads: Any) -> None:
    with pytest.raises(TypeError):
        compiled("packet").FrameSender(pair[0]).send(prefix, headers, payloads)


@pytest.mark.parametrize("size", [-1, 0, (1 << 20) + 1])
def test_impossible_size_is_refused(pair: Pair, size: int) -> None:
    with pytest.raises(ValueError, match="1 byte to 1 MiB"):
        compiled("packet").FrameReceiver(pair[0], size)


def test_nothing_is_kept(pair: Pair) -> None:
    edge = compiled("packet")
    sender, receiver = edge.FrameSender(pair[0]), edge.FrameReceiver(pair[1], 2000)

    def exchange() -> None:
        assert sender.send(PREFIX, bytearray(24 * 4), [bytes(size) for size in (0, 1000, 1500, 1900)]) == 4
        assert len(flat(receiver.receive())) == 4

    assert growth(exchange) < ALLOWED
    assert growth(lambda: edge.FrameReceiver(pair[1], 2000)) < ALLOWED
    assert growth(lambda: edge.FrameSender(pair[0])) < ALLOWED
