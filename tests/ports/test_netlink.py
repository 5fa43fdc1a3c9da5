"""The plain reader of NFQUEUE: each message is a packet, or is counted."""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.ports.netlink import MSG_PACKET, Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKET_HDR, PAYLOAD, CAP_LEN, SKB_INFO, OTHER = 1, 10, 13, 14, 4
NESTED = 0x8000
"""A bit that says how to read an attribute and does not belong to its number."""


def attribute(number: int, value: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)


def packet_hdr(packet_id: int) -> bytes:
    return attribute(PACKET_HDR, struct.pack("!IHB", packet_id, 0x0800, 3))


def message(*attributes: bytes, kind: int = MSG_PACKET) -> bytes:
    body = b"".join(attributes)
    return struct.pack("=IHHII", 20 + len(body), kind, 0, 0, 0) + b"\x02\x00\x00\x07" + body


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    kernel, user = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kernel, user:
        user.setblocking(False)
        yield kernel, user


@pytest.fixture
def reader(pair: tuple[socket.socket, socket.socket]) -> Reader:
    return Reader(pair[1], 4)


def test_gives_packets_with_what_the_kernel_says_of_them(reader: Reader) -> None:
    info = attribute(SKB_INFO, struct.pack("!I", 3))
    found = reader.parse(message(packet_hdr(9), attribute(OTHER, b"123"), info, attribute(PAYLOAD, b"packet")))
    assert found == ([b"packet"], [3])
    assert (reader.captured, reader.last) == (1, 9)


def test_order_and_flags_of_attributes_do_not_matter(reader: Reader) -> None:
    found = reader.parse(message(attribute(PAYLOAD | NESTED, b"packet"), packet_hdr(7)))
    assert (found, reader.last) == (([b"packet"], [0]), 7)


def test_packet_that_the_kernel_cut_is_dropped_and_counted(reader: Reader) -> None:
    cut = message(packet_hdr(5), attribute(PAYLOAD, b"the beginning"), attribute(CAP_LEN, struct.pack("!I", 70_000)))
    assert reader.parse(cut) == ([], [])
    assert (reader.captured, reader.dropped_oversize, reader.dropped_malformed) == (1, 1, 0)
    # It must get its verdict all the same.
    assert reader.last == 5


@pytest.mark.parametrize("data", [b"", b"short", message(packet_hdr(1)), message(kind=99)])
def test_message_without_a_packet_is_counted(reader: Reader, data: bytes) -> None:
    assert reader.parse(data) == ([], [])
    assert reader.dropped_malformed == 1


def test_answer_to_a_configuration_message_is_none_of_our_business(reader: Reader) -> None:
    assert reader.parse(message(kind=2)) == ([], [])
    assert (reader.captured, reader.dropped_malformed) == (0, 0)


@pytest.mark.parametrize("length", [0, 3, 200])
def test_impossible_length_ends_the_message(reader: Reader, length: int) -> None:
    wrong = struct.pack("=HH", length, PAYLOAD) + b"12345678"
    assert reader.parse(message(packet_hdr(3), wrong)) == ([], [])
    assert (reader.captured, reader.dropped_malformed, reader.last) == (1, 1, 3)


@given(st.binary(max_size=200), st.sampled_from([b"", message()[:20]]))
def test_no_message_harms(data: bytes, head: bytes) -> None:
    reader = Reader(cast("socket.socket", None), 1)
    packets, infos = reader.parse(head + data)
    assert len(packets) == len(infos) <= 1
    assert reader.captured + reader.dropped_malformed + reader.dropped_oversize <= 2


def test_reads_what_waits_a_batch_at_most(pair: tuple[socket.socket, socket.socket], reader: Reader) -> None:
    for number in range(6):
        pair[0].send(message(packet_hdr(number), attribute(PAYLOAD, b"%d" % number)))
    assert reader.read() == ([b"0", b"1", b"2", b"3"], [0] * 4)
    assert reader.last == 3
    assert reader.read() == ([b"4", b"5"], [0] * 2)
    assert reader.read() == ([], [])
    assert (reader.captured, reader.last) == (6, 5)


def test_takes_the_largest_packet_whole(pair: tuple[socket.socket, socket.socket], reader: Reader) -> None:
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    payload = bytes(65_531)
    pair[0].send(message(packet_hdr(1), attribute(PAYLOAD, payload)))
    assert reader.read() == ([payload], [0])


class Failing:
    """A netlink socket that raises one error after the other."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def recv_into(self, _: bytearray) -> int:
        raise OSError(self.numbers.pop(0), "as told")


@pytest.fixture
def failing() -> Callable[..., Reader]:
    return lambda *numbers: Reader(cast("socket.socket", Failing(*numbers)), 4)


def test_kernel_that_dropped_packets_is_counted_and_read_on(failing: Callable[..., Reader]) -> None:
    reader = failing(errno.ENOBUFS, errno.ENOBUFS, errno.EAGAIN)
    assert reader.read() == ([], [])
    assert reader.overruns == 2


def test_other_errors_are_the_callers(failing: Callable[..., Reader]) -> None:
    with pytest.raises(OSError, match="as told"):
        failing(errno.EBADF).read()
