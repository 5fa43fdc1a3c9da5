"""The injector on a real IP stack: packets arrive with every byte that they came with, marked, and losses counted."""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING, Final

import pytest

from alagg.ports.rawip import RawInjector
from tests.packets import (
    DESTINATION,
    FRAGMENT,
    HOP_BY_HOP,
    PEER,
    PEER6,
    PROTOCOL,
    ROUTER_ALERT,
    US,
    US6,
    ipv4,
    ipv6,
)
from tests.ports.conftest import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns

MARK: Final = 0xA1A6


@pytest.fixture
def injector(lab: Lab) -> Iterator[RawInjector]:
    with inside(lab.a):
        opened = RawInjector(MARK)
    yield opened
    opened.close()


@pytest.fixture
def loopback(lab: Lab) -> Iterator[socket.socket]:
    """Give a socket that sees, byte for byte, what goes through host a's `lo`."""
    with inside(lab.a), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as opened:
        opened.bind(("lo", 3))
        opened.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
        opened.settimeout(5)
        yield opened


@pytest.mark.parametrize("packet", [
    pytest.param(ipv4(), id="IPv4"),
    pytest.param(ipv4(ttl=1), id="TTL of 1"),
    pytest.param(ipv4(ttl=255, tos=0xB8 | 3), id="TTL, DSCP and ECN"),
    pytest.param(ipv4(number=0xBEEF), id="identification"),
    pytest.param(ipv4(number=0, fragment=0x4000), id="don't fragment, without identification"),
    pytest.param(ipv4(options=ROUTER_ALERT + b"\x01\x01\x01\x00"), id="options"),
    pytest.param(ipv4(b"f" * 64, fragment=0x2000), id="first fragment"),
    pytest.param(ipv4(b"f" * 64, fragment=0x2008), id="middle fragment"),
    pytest.param(ipv4(b"x" * 65_511), id="largest that is captured"),
    pytest.param(ipv4(b""), id="empty"),
    pytest.param(ipv6(), id="IPv6"),
    pytest.param(ipv6(hops=1, traffic_class=0xB9, flow=0xABCDE), id="hop limit, traffic class and flow label"),
    pytest.param(ipv6(HOP_BY_HOP + DESTINATION + b"x", following=0), id="extension headers"),
    pytest.param(ipv6(FRAGMENT + b"f" * 64, following=44), id="IPv6 fragment"),
    pytest.param(ipv6(b"x" * 65_491), id="largest IPv6 that is captured"),
    pytest.param(ipv6(b"", following=59), id="no next header"),
])
def test_packet_arrives_as_it_left(injector: RawInjector, loopback: socket.socket, packet: bytes) -> None:
    assert injector.send([packet]) == 1
    assert loopback.recv(70_000) == packet
    assert injector.counters() == {"injected": 1}


def test_packets_arrive_in_order_and_both_families(injector: RawInjector, loopback: socket.socket) -> None:
    packets = [make(bytes([number])) for number in range(100) for make in (ipv4, ipv6)]
    assert injector.send(packets) == 200
    assert [loopback.recv(100) for _ in packets] == packets


@pytest.mark.parametrize(("family", "address", "packet"), [
    (socket.AF_INET, US, ipv4(b"hello")), (socket.AF_INET6, US6, ipv6(b"hello")),
])
def test_application_receives_it_with_the_peers_address(
    lab: Lab, injector: RawInjector, family: socket.AddressFamily, address: str, packet: bytes
) -> None:
    with inside(lab.a), socket.socket(family, socket.SOCK_RAW, PROTOCOL) as application:
        application.bind((address, 0))
        application.settimeout(5)
        injector.send([packet])
        data, source = application.recvfrom(100)
        assert data.endswith(b"hello")
        assert source[0] in (PEER, PEER6)


@pytest.mark.parametrize(
    ("command", "chain", "packet"), [("iptables-legacy", "OUTPUT", ipv4()), ("ip6tables-legacy", "INPUT", ipv6())]
)
def test_mark_is_on_every_packet(lab: Lab, injector: RawInjector, command: str, chain: str, packet: bytes) -> None:
    """Without it, a rule would catch what was injected, and packets would go round for ever."""
    lab.a.run([command, "-A", chain, "-p", str(PROTOCOL), "-m", "mark", "--mark", hex(MARK)])
    lab.a.run([command, "-A", chain, "-p", str(PROTOCOL), "-m", "mark", "!", "--mark", hex(MARK)])
    injector.send([packet] * 3)
    lines = lab.a.run([command, "-L", chain, "-n", "-v", "-x"]).stdout.splitlines()[2:]
    assert [int(line.split()[0]) for line in lines] == [3, 0]


# --- what the host does not take --------------------------------------------------------------------------------


def test_packets_that_the_host_refuses_are_counted_and_hold_nothing_up(
    lab: Lab, injector: RawInjector, loopback: socket.socket
) -> None:
    refused = [
        ipv4(b"x" * 2000, destination=PEER),  # larger than the interface that it would leave by
        ipv4(destination="203.0.113.1"),  # no route
        b"\x4f" + ipv4()[1:],  # a header longer than the packet
    ]
    good = [ipv4(b"first"), ipv6(b"second"), ipv4(b"third")]
    assert injector.send([good[0], *refused[:2], good[1], *refused[2:], good[2]]) == 3
    assert [loopback.recv(100) for _ in good] == good
    assert injector.counters() == {
        "injected": 3, "dropped_EMSGSIZE": 1, "dropped_ENETUNREACH": 1, "dropped_EINVAL": 1,
    }


def test_full_socket_drops_and_never_waits(lab: Lab, injector: RawInjector) -> None:
    lab.a.tc("qdisc add dev eth0 root tbf rate 64kbit burst 2000 limit 100000000")
    count = 5000
    taken = injector.send([ipv4(b"x" * 1000, destination=PEER)] * count)
    assert 0 < taken < count
    assert injector.counters() == {"injected": taken, "dropped_full": count - taken}


def test_close_gives_the_descriptors_back_once(injector: RawInjector) -> None:
    sockets = [injector._v4, injector._v6]
    assert len(select.select([], sockets, [], 0)[1]) == 2
    injector.close()
    injector.close()
    assert [opened.fileno() for opened in sockets] == [-1, -1]
