"""The compiled reader of NFQUEUE beside its plain twin: the same messages, the same packets, the same counters."""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.native.forms import FORMS, compiled, plain
from tests.native.leak import ALLOWED, growth
from tests.native.messages import PAYLOAD, attribute, message, messages, packet_hdr

if TYPE_CHECKING:
    from collections.abc import Iterator

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    kernel, user = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with kernel, user:
        kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        yield kernel, user


def counters(reader: Any) -> tuple[int, ...]:
    drops = reader.dropped_oversize, reader.dropped_malformed
    return reader.captured, reader.left_alone, *drops, reader.overruns, reader.disowned, reader.last


@given(st.lists(messages(), min_size=1, max_size=40), st.integers(1, 64))
def test_both_forms_read_the_same(found: list[bytes], batch: int) -> None:
    def read(edge: Any) -> object:
        kernel, user = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        with kernel, user:
            kernel.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            reader = edge.Reader(user, batch)
            for each in found:
                kernel.send(each)
            return [(reader.read(), counters(reader)) for _ in range(len(found) // batch + 2)]

    assert read(compiled("nfqueue")) == read(plain("nfqueue"))


def icmp6(kind: int, hop_limit: int = 255, protocol: int = 58) -> bytes:
    return b"\x60\0\0\0\0\x08" + bytes([protocol, hop_limit]) + bytes(32) + bytes([kind]) + bytes(7)


@pytest.mark.parametrize("form", FORMS)
def test_neighbour_discovery_goes_its_way(form: str, pair: Pair) -> None:
    """Each such packet is accepted by its id, before all that were read are dropped."""
    reader = FORMS[form]("nfqueue").Reader(pair[1], 16)
    ours = [icmp6(128), icmp6(132), icmp6(138), icmp6(135, hop_limit=64), icmp6(135, protocol=6), b"\x45" + bytes(40)]
    for number, packet in enumerate([*map(icmp6, range(133, 138)), *ours, icmp6(135)[:40]]):
        pair[0].send(message(packet_hdr(number + 1), attribute(PAYLOAD, packet)))
    assert reader.read()[0] == [*ours, icmp6(135)[:40]]
    assert (reader.captured, reader.left_alone) == (7, 5)
    reader.settle(7)
    verdicts = [struct.unpack("!II", pair[0].recv(64)[-8:]) for _ in range(6)]
    assert sorted(verdicts[:5]) == [(1, number) for number in range(1, 6)]
    assert verdicts[5] == (0, 12)


@pytest.mark.parametrize("form", FORMS)
def test_reads_a_batch_at_most(form: str, pair: Pair) -> None:
    reader = FORMS[form]("nfqueue").Reader(pair[1], 3)
    for number in range(5):
        pair[0].send(message(packet_hdr(number), attribute(PAYLOAD, b"%d" % number)))
    assert [reader.read()[0] for _ in range(3)] == [[b"0", b"1", b"2"], [b"3", b"4"], []]
    assert (reader.captured, reader.last) == (5, 4)


@pytest.mark.parametrize(("code", "disowned"), [
    (0, 0), (-errno.ENOENT, 0), (-errno.ENODEV, 1), (-errno.EPERM, 1), (errno.ENODEV, 0), (-(1 << 31), 0),
])
@pytest.mark.parametrize("form", FORMS)
def test_answer_tells_that_a_queue_is_not_ours_any_more(form: str, code: int, disowned: int, pair: Pair) -> None:
    """A verdict for packets that are gone with their interface (ENOENT) is nothing to worry about."""
    reader = FORMS[form]("nfqueue").Reader(pair[1], 3)
    pair[0].send(struct.pack("=IHHIIi", 36, 2, 0, 0, 0, code) + bytes(16))
    assert reader.read() == ([], [])
    assert counters(reader) == (0, 0, 0, 0, 0, disowned, 0)


@pytest.mark.parametrize("form", FORMS)
def test_verdict_that_failed_is_given_again(form: str) -> None:
    kernel, user = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
    with user:
        reader = FORMS[form]("nfqueue").Reader(user, 3)
        kernel.send(message(packet_hdr(9), attribute(PAYLOAD, b"x")))
        assert len(reader.read()[0]) == 1
        kernel.close()
        for _ in range(2):
            with pytest.raises(OSError) as caught:
                reader.settle(7)
            assert caught.value.errno == errno.EPIPE


@pytest.mark.parametrize("form", FORMS)
def test_socket_that_cannot_be_read_is_an_error(form: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as unconnected:
        unconnected.setblocking(False)
        with pytest.raises(OSError) as caught:
            FORMS[form]("nfqueue").Reader(unconnected, 3).read()
        assert caught.value.errno == errno.ENOTCONN


@pytest.mark.parametrize("form", FORMS)
def test_kernel_that_dropped_packets_is_counted_and_read_on(form: str) -> None:
    """A netlink socket that a flood of answers has filled says ENOBUFS once, then gives what it has."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as flooded:
        flooded.bind((0, 0))
        flooded.setblocking(False)
        flooded.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        unknown = struct.pack("=IHHII", 16, 0x3FFF, 1 | 4, 1, 0)  # each is answered with an error
        for _ in range(100):
            flooded.send(unknown)
        reader = FORMS[form]("nfqueue").Reader(flooded, 64)
        for _ in range(4):
            reader.read()
        assert counters(reader) == (0, 0, 0, 0, 1, 0, 0)


@pytest.mark.parametrize("form", FORMS)
def test_kernel_is_told_once_to_drop_what_was_read(form: str, pair: Pair) -> None:
    reader = FORMS[form]("nfqueue").Reader(pair[1], 4)
    reader.settle(300)
    for number in (1, 2):
        pair[0].send(message(packet_hdr(number), attribute(PAYLOAD, b"packet")))
    reader.read()
    reader.settle(300)
    reader.settle(300)
    head = struct.pack("=IHHII", 32, 0x303, 1, 0, 0) + struct.pack("!BBH", 0, 0, 300)
    assert pair[0].recv(100) == head + struct.pack("=HH", 12, 2) + struct.pack("!II", 0, 2)
    with pytest.raises(BlockingIOError):
        pair[0].recv(100)


@pytest.mark.parametrize("form", FORMS)
def test_kernel_that_cannot_be_told_is_an_error(form: str, pair: Pair) -> None:
    reader = FORMS[form]("nfqueue").Reader(pair[1], 4)
    pair[0].send(message(packet_hdr(1), attribute(PAYLOAD, b"packet")))
    reader.read()
    pair[0].close()
    with pytest.raises(BrokenPipeError):
        reader.settle(0)


@pytest.mark.parametrize("batch", [0, 65, 1 << 31])
def test_impossible_batch_is_refused(pair: Pair, batch: int) -> None:
    with pytest.raises(ValueError, match="1 to 64 messages"):
        compiled("nfqueue").Reader(pair[1], batch)


def test_only_bytes_are_parsed(pair: Pair) -> None:
    with pytest.raises(TypeError):
        compiled("nfqueue").Reader(pair[1], 1).parse(None)


def test_nothing_is_kept(pair: Pair) -> None:
    edge = compiled("nfqueue")
    reader = edge.Reader(pair[1], 4)
    good, bad = message(packet_hdr(1), attribute(PAYLOAD, bytes(1000))), message(packet_hdr(1))
    assert growth(lambda: (reader.parse(good), reader.parse(bad), reader.parse(b"short"))) < ALLOWED
    assert growth(lambda: edge.Reader(pair[1], 64)) < ALLOWED

    def exchange() -> None:
        pair[0].send(good)
        assert len(reader.read()[0]) == 1

    assert growth(exchange) < ALLOWED

    def answer() -> None:
        exchange()
        reader.parse(message(packet_hdr(2)))
        reader.settle(0)
        reader.parse(message(packet_hdr(3)))
        reader.settle(0)
        pair[0].recv(100)
        pair[0].recv(100)

    assert growth(answer) < ALLOWED
