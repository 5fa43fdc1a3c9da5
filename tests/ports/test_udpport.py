"""The UDP port on the loopback interface: what it sends and tells, many peers on one socket."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from alagg.engine.header import SIZE
from alagg.ports import sockaddr
from alagg.ports.udpport import Place, UdpPort, largest, overhead
from tests.ports.batches import drain, send

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="marks need root")

MARK: Final = 0xA1A6
LOCALS: Final = ("127.0.0.1", "::1")


@pytest.fixture
def ports() -> Iterator[list[UdpPort]]:
    """Collects what is opened."""
    opened: list[UdpPort] = []
    yield opened
    for port in opened:
        port.close()


def made(ports: list[UdpPort], address: str = "127.0.0.1", interface: str = "") -> UdpPort:
    port = UdpPort(Place(interface, address, 0), MARK)
    ports.append(port)
    return port


def name_of(port: UdpPort, address: str = "") -> bytes:
    """Give where a port is reached."""
    host, number = port._socket.getsockname()[:2]
    return sockaddr.pack(sockaddr.ip(address or host), number, family=port.family)


@pytest.mark.parametrize("address", LOCALS)
def test_frames_cross_and_tell_where_they_are_from(ports: list[UdpPort], address: str) -> None:
    one, other = made(ports, address), made(ports, address)
    assert send(one, b"first", b"second", remote=name_of(other)) == 2
    ((remote, _, payloads),) = other.receive()
    assert (remote, payloads) == (name_of(one), [b"first", b"second"])
    assert other.ways == [socket.if_nametoindex("lo")]
    assert other.receive() == []


def test_any_address_takes_both_families(ports: list[UdpPort]) -> None:
    hub, four, six = made(ports, "::"), made(ports, "127.0.0.1"), made(ports, "::1")
    port = hub._socket.getsockname()[1]
    for spoke, address in ((four, "127.0.0.1"), (six, "::1")):
        send(spoke, b"hello", remote=sockaddr.pack(sockaddr.ip(address), port, family=spoke.family))
        ((remote, _, _),) = hub.receive()
        assert sockaddr.text(remote) == sockaddr.text(name_of(spoke))
        send(hub, b"answer", remote=remote)
        assert len(drain(spoke)) == 1


def test_a_thousand_peers_share_a_port(ports: list[UdpPort]) -> None:
    hub = made(ports)
    spokes = [made(ports) for _ in range(100)]
    for number, spoke in enumerate(spokes):
        send(spoke, b"%d" % number, remote=name_of(hub))
    found = {}
    while arrivals := hub.receive():
        found.update({remote: payloads for remote, _, payloads in arrivals})
    assert found == {name_of(spoke): [b"%d" % number] for number, spoke in enumerate(spokes)}


def test_what_leaves_is_marked_and_never_fragmented(ports: list[UdpPort]) -> None:
    for address in LOCALS:
        opened = made(ports, address)._socket
        assert opened.getsockopt(socket.SOL_SOCKET, 36) == MARK
        level, option = (socket.IPPROTO_IP, 10) if address == "127.0.0.1" else (socket.IPPROTO_IPV6, 23)
        assert opened.getsockopt(level, option) == 3  # IP_PMTUDISC_PROBE


def test_refused_datagram_is_a_hint(ports: list[UdpPort]) -> None:
    one, gone = made(ports), made(ports)
    nobody = name_of(gone)
    gone.close()
    send(one, b"?", remote=nobody)
    assert one.receive() == []
    (hint,) = one.hints
    assert (hint.remote, hint.reason, hint.mtu) == (nobody, os.strerror(errno.ECONNREFUSED), 0)
    assert one.counters()["icmp_errors"] == 1


def test_room_is_what_the_route_takes(ports: list[UdpPort]) -> None:
    mtu = int(Path("/sys/class/net/lo/mtu").read_text())
    for address, version in (("127.0.0.1", 4), ("::1", 6)):
        port = made(ports, address)
        assert port.room(name_of(port)) in (mtu - overhead(version), 65_535 - overhead(version), 65_507)


def test_place_that_is_taken_or_foreign_is_an_error(ports: list[UdpPort]) -> None:
    number = made(ports)._socket.getsockname()[1]
    for place, code in (
        (Place("", "127.0.0.1", number), errno.EADDRINUSE),
        (Place("", "203.0.113.1", 0), errno.EADDRNOTAVAIL),
        (Place("none0", "127.0.0.1", 0), errno.ENODEV),
    ):
        with pytest.raises(OSError) as caught:
            UdpPort(place, MARK)
        assert caught.value.errno == code


def test_bound_port_takes_no_way_of_its_own(ports: list[UdpPort]) -> None:
    bound, free = made(ports, interface="lo"), made(ports)
    target = name_of(free)
    for port, way in ((bound, 0), (free, 7)):
        port.set_way(target, 7)
        assert port.way(target) == way
    free.set_remotes([])
    assert free.way(target) == 0
    assert send(bound, b"by lo", remote=target) == 1
    assert len(drain(free)) == 1


def test_counters_and_words(ports: list[UdpPort]) -> None:
    port = made(ports)
    assert port.counters() == {"rx_dropped": 0, "tx_too_big": 0, "icmp_errors": 0}
    assert port.sends_by[0] == "udp"
    assert str(port.place) == "127.0.0.1:0"
    assert str(Place("", "::", 7)) == "[::]:7"
    port.set_own_mac(b"")
    port.bypass_queues(allowed=True, reason="", mtu=1500)
    port.close()
    port.close()


def test_largest_frame() -> None:
    assert (largest(1500, 4), largest(1500, 6), largest(40, 6)) == (1472, 1452, SIZE)
