"""UDP in both forms: every frame crosses whole, with others or alone, and each error is told as it is meant."""

from __future__ import annotations

import errno
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alagg.engine.header import DATA, SIZE
from alagg.ports import sockaddr
from alagg.ports.base import MAX_HEADER
from tests.native.forms import FORMS
from tests.ports.batches import frames_of

if TYPE_CHECKING:
    from collections.abc import Iterator

UDP_GRO: Final = 104
HOSTS: Final = {"IPv4": ("127.0.0.1", "127.0.0.1"), "IPv6": ("::1", "::1"), "mapped": ("::", "127.0.0.1")}


@contextmanager
def joined(kind: str = "IPv4", mtu: int = 0) -> Iterator[tuple[socket.socket, socket.socket, bytes]]:
    """Give two sockets on the loopback interface, and the address of the second one."""
    local, target = HOSTS[kind]
    family = socket.AF_INET if kind == "IPv4" else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as ours, socket.socket(family, socket.SOCK_DGRAM) as theirs:
        for end in (ours, theirs):
            end.setblocking(False)
            end.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
            end.setsockopt(socket.SOL_SOCKET, 32, 1 << 22)  # SO_SNDBUFFORCE
            end.setsockopt(socket.IPPROTO_IP, 10, 3)  # IP_MTU_DISCOVER
            end.setsockopt(socket.IPPROTO_IP, 11, 1)  # IP_RECVERR
            end.bind((local, 0))
        theirs.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
        name = sockaddr.pack(sockaddr.ip(target), theirs.getsockname()[1], family=family)
        yield ours, theirs, name


@pytest.fixture(params=FORMS)
def edge(request: pytest.FixtureRequest) -> Any:
    return FORMS[request.param]("udp")


def received(receiver: Any) -> list[bytes]:
    return [frame for arrivals in iter(receiver.receive, []) for frame in frames_of(arrivals)]


frames = st.lists(
    st.tuples(st.sampled_from([0, 1, 7, 300, 300, 300, 1400, 1400, 1400, 1400]), st.integers(0, 255)), max_size=90
)


@settings(max_examples=40)
@given(st.sampled_from(sorted(HOSTS)), st.integers(SIZE, MAX_HEADER), frames, st.sampled_from([0, 0xFC, 0xFF]))
def test_both_forms_carry_every_frame(kind: str, stride: int, sizes: list[tuple[int, int]], mask: int) -> None:
    heads = [bytes([DATA, *([number % 256] * (stride - 1))]) for number in range(len(sizes))]
    payloads = [bytes([fill]) * size for size, fill in sizes]
    for form in FORMS.values():
        with joined(kind) as (ours, theirs, name):
            receiver = form("udp").Receiver(theirs)
            sender = form("udp").Sender(ours, mask)
            assert sender.send(name, bytearray().join(heads), payloads) == len(payloads)
            assert received(receiver) == [head + payload for head, payload in zip(heads, payloads, strict=True)]
            assert sender.too_big == 0


def test_many_frames_of_one_size_come_merged(edge: Any) -> None:
    with joined() as (ours, theirs, name):
        assert edge.Sender(ours).send(name, bytearray(SIZE * 40), [bytes(1400)] * 40) == 40
        (arrival,) = edge.Receiver(theirs).receive()
        assert (arrival[0][2:], len(arrival[2])) == (sockaddr.of_tuple(ours.getsockname())[2:], 40)


def test_traffic_class_of_packets_is_copied(edge: Any) -> None:
    ipv4, ipv6 = bytes([0x45, 0xB8]) + bytes(30), bytes([0x6B, 0x80]) + bytes(30)
    head = bytes([DATA]) + bytes(SIZE - 1)
    piece = bytes([DATA]) + bytes(12) + b"\1" + bytes(SIZE - 14)
    probe = bytes([2]) + bytes(SIZE - 1)
    with joined() as (ours, theirs, name):
        theirs.setsockopt(socket.IPPROTO_IP, 13, 1)  # IP_RECVTOS
        theirs.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 0)
        headers = bytearray(head + piece + head + probe)
        assert edge.Sender(ours, 0xFC).send(name, headers, [ipv4, ipv4, ipv6, ipv4]) == 4
        classes = [theirs.recvmsg(100, 100)[1][0][2][0] for _ in range(4)]
    assert classes == [0xB8, 0xB8, 0xB8, 0]


def test_frame_too_short_for_a_header_comes_without(edge: Any) -> None:
    with joined() as (ours, theirs, name):
        for data in (b"", b"short", b"H" * SIZE + b"payload"):
            ours.sendto(data, sockaddr.to_tuple(name))
        ((_, headers, payloads),) = edge.Receiver(theirs).receive()
        assert (headers, payloads) == (bytes(2 * SIZE) + b"H" * SIZE, [None, None, b"payload"])


def test_frame_larger_than_the_way_takes_is_lost_and_counted(edge: Any) -> None:
    """A super-datagram of such frames is sent one by one; those that fit go on."""
    with joined() as (ours, theirs, name):
        sender = edge.Sender(ours)
        assert sender.send(name, bytearray(SIZE * 3), [bytes(65_530), b"fits", bytes(65_530)]) == 3
        assert sender.too_big == 2
        assert received(edge.Receiver(theirs)) == [bytes(SIZE) + b"fits"]


def test_icmp_error_for_one_address_stops_no_other(edge: Any) -> None:
    with joined() as (ours, theirs, name), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = sockaddr.of_tuple(closed.getsockname())
        closed.close()
        sender = edge.Sender(ours)
        for _ in range(5):
            assert sender.send(nobody, bytearray(SIZE), [b"?"]) == 1
            assert sender.send(name, bytearray(SIZE), [b"!"]) == 1
        assert edge.Receiver(ours).receive() == []
        assert received(edge.Receiver(theirs)) == [bytes(SIZE) + b"!"] * 5


def test_address_without_a_way_is_an_error(edge: Any) -> None:
    with joined() as (ours, _, _):
        nowhere = sockaddr.pack(sockaddr.ip("203.0.113.1"), 9, family=socket.AF_INET)  # from 127.0.0.1
        with pytest.raises(OSError) as caught:
            edge.Sender(ours).send(nowhere, bytearray(SIZE), [b""])
        assert caught.value.errno == errno.EINVAL


def test_way_leads_by_an_interface(edge: Any) -> None:
    for kind in HOSTS:
        with joined(kind) as (ours, theirs, name):
            theirs.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
            if kind != "IPv4":
                theirs.setsockopt(socket.IPPROTO_IPV6, 49, 1)  # IPV6_RECVPKTINFO
            lo = socket.if_nametoindex("lo")
            assert edge.Sender(ours).send(name, bytearray(SIZE), [b""], lo) == 1
            receiver = edge.Receiver(theirs)
            assert len(receiver.receive()) == 1
            assert receiver.ways == [lo]
            with pytest.raises(OSError):
                edge.Sender(ours).send(name, bytearray(SIZE), [b""], 1 << 20)


def test_closed_socket_is_an_error(edge: Any) -> None:
    with joined() as (ours, _, name):
        sender, receiver = edge.Sender(ours), edge.Receiver(ours)
        ours.close()
        with pytest.raises(OSError):
            sender.send(name, bytearray(SIZE), [b""])
        with pytest.raises(OSError):
            receiver.receive()


def test_impossible_batch_is_refused() -> None:
    with joined() as (ours, _, name):
        sender = FORMS["compiled"]("udp").Sender(ours)
        for remote, headers in ((name, 46), (name, 130), (name, 0), (name[1:], 48), (b"", 48)):
            with pytest.raises(ValueError):
                sender.send(remote, bytearray(headers), [b"", b""])
        with pytest.raises(TypeError):
            sender.send(name, bytearray(48), [b"", None])
