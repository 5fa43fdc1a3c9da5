"""The device alone, and the experiments behind it: connections outlive each way of losing a link's interface."""

from __future__ import annotations

import os
import select
import socket
import struct
import time
from contextlib import closing
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from alagg.ports.memory import MemoryInjector
from alagg.ports.tun import TunInjector
from alagg.system import HostError, device, netlink
from alagg.system.device import Device, Layout
from alagg.system.routes import Route

from .conftest import Hosts, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.netns

A4, A6, B4, B6 = (ip_address(text) for text in ("10.99.0.1", "fd99::1", "10.99.0.2", "fd99::2"))
ETH_P_ALL = 3
NOBODY = "00:00:00:00:00:00"
LAYOUT = Layout(mtu=1476, addresses=(A4, A6), routes=(Route(ip_network(B4), A4), Route(ip_network(B6), A6)))


@pytest.fixture
def made(hosts: Hosts) -> Iterator[Device]:
    opened = Device("alagg0")
    opened.apply(LAYOUT)
    yield opened
    opened.close()


@pytest.fixture
def tapped(made: Device) -> Iterator[socket.socket]:
    with closing(tap()) as opened:
        yield opened


def switch_off(hosts: Hosts) -> None:
    hosts.a.ip("link set eth0 down")


def switch_off_and_on(hosts: Hosts) -> None:
    hosts.a.ip("link set eth0 down", "link set eth0 up")


def delete(hosts: Hosts) -> None:
    hosts.a.ip("link del eth0")


def delete_and_make_again(hosts: Hosts) -> None:
    hosts.a.ip("link del eth0")
    hosts.plug(0)


def delete_addresses(hosts: Hosts) -> None:
    hosts.a.ip("address del 10.99.0.1/24 dev eth0", "address del fd99::1/64 dev eth0")


LOSSES = [switch_off, switch_off_and_on, delete, delete_and_make_again, delete_addresses]


def tap() -> socket.socket:
    """Look at all that leaves by the device."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    opened.bind(("alagg0", ETH_P_ALL))
    return opened


class Wire:
    """Plays the peer: takes the packets that reach the device, and answers."""

    def __init__(self, opened: socket.socket, version: int) -> None:
        self.tap = opened
        self.layer = IP if version == 4 else IPv6
        self.family = socket.AF_INET if version == 4 else socket.AF_INET6

    def take(self, timeout: float = 5) -> IP | IPv6:
        """Give the next TCP packet that reaches the device."""
        while select.select([self.tap], [], [], timeout)[0]:
            packet = self.layer(self.tap.recv(65535))
            if TCP in packet:
                return packet
        raise TimeoutError("no packet reached the device")

    def answer(self, packet: IP | IPv6, flags: str, load: bytes = b"") -> None:
        layer: Any = self.layer
        head = layer(src=packet.dst, dst=packet.src)
        tcp = TCP(
            sport=packet[TCP].dport, dport=packet[TCP].sport, flags=flags, seq=packet[TCP].ack or 1000,
            ack=packet[TCP].seq + len(packet[TCP].payload) + ("S" in flags),
        )
        if self.family == socket.AF_INET:
            with closing(socket.socket(self.family, socket.SOCK_RAW, socket.IPPROTO_RAW)) as raw:
                raw.sendto(bytes(head / tcp / load), (packet.src, 0))
        else:
            # Not by a raw socket: see alagg.system.device for what an idle IPv6 connection would hold then.
            with closing(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)) as loop:
                loop.sendto(bytes(Ether(src=NOBODY, dst=NOBODY, type=0x86DD) / head / tcp / load), ("lo", 0))


def connect(wire: Wire, destination: str) -> socket.socket:
    """Open a TCP connection with the peer that the wire plays."""
    client = socket.socket(wire.family, socket.SOCK_STREAM)
    client.setblocking(False)
    client.connect_ex((destination, 80))
    wire.answer(wire.take(), "SA")
    assert select.select([], [client], [], 5)[1]
    assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    assert wire.take()[TCP].flags == "A"
    client.settimeout(5)
    return client


def talk(wire: Wire, client: socket.socket, text: bytes) -> None:
    """Say something in both directions over an open connection."""
    client.send(text)
    packet = wire.take()
    while bytes(packet[TCP].payload) != text:
        packet = wire.take()
    wire.answer(packet, "PA", text)
    assert client.recv(100) == text
    wire.take()


@pytest.mark.parametrize("destination", [str(B4), str(B6)])
@pytest.mark.parametrize("lose", LOSSES)
def test_old_and_new_connections_survive(
    hosts: Hosts, tapped: socket.socket, lose: Callable[[Hosts], None], destination: str
) -> None:
    wire = Wire(tapped, ip_address(destination).version)
    with closing(connect(wire, destination)) as old:
        own = old.getsockname()[0]
        talk(wire, old, b"before")
        lose(hosts)
        talk(wire, old, b"after")
        with closing(connect(wire, destination)) as new:
            assert new.getsockname()[0] == own
            talk(wire, new, b"new")


@pytest.mark.parametrize("name", ["eth0", "alagg0"])
@pytest.mark.parametrize("destination", [str(B4), str(B6)])
def test_an_idle_connection_holds_no_interface(
    hosts: Hosts, tapped: socket.socket, destination: str, name: str
) -> None:
    """Each interface is the one whose entry for the address is found first, once at least."""
    wire = Wire(tapped, ip_address(destination).version)
    with closing(connect(wire, destination)) as idle:
        talk(wire, idle, b"before")
        found = netlink.interface(name)
        assert found
        started = time.monotonic()
        netlink.delete_link(found.index)
        assert time.monotonic() - started < 10  # one that is held stays for minutes
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("source", ["10.99.0.2", "10.50.1.1", "10.50.7.7"])
@pytest.mark.parametrize("everywhere", "012")
def test_reverse_path_filter_lets_every_destination_in(hosts: Hosts, everywhere: str, source: str) -> None:
    """The route back leads by the device, to a network behind it, or by a link since the host knows better."""
    hosts.a.run(["sh", "-c", f"echo {everywhere} | tee /proc/sys/net/ipv4/conf/*/rp_filter"])
    hosts.a.ip("route add 10.50.7.0/24 dev eth0")
    with closing(Device("alagg0")) as opened:
        opened.apply(Layout(1476, (A4,), (*LAYOUT.routes[:1], Route(ip_network("10.50.0.0/16"), A4))))
        assert receives(IP(src=source, dst=str(A4)))


@pytest.mark.parametrize("name", ["all", "default"])
@pytest.mark.parametrize("everywhere", "012")
def test_what_no_route_leads_to_comes_in_only_where_the_host_filters_nothing(
    hosts: Hosts, everywhere: str, name: str
) -> None:
    """A router's errors come from such addresses."""
    hosts.a.run(["sh", "-c", "echo 0 | tee /proc/sys/net/ipv4/conf/*/rp_filter"])
    hosts.a.sysctl({f"net.ipv4.conf.{name}.rp_filter": everywhere})
    with closing(Device("alagg0")) as opened:
        opened.apply(LAYOUT)
        assert receives(IP(src="198.51.100.7", dst=str(A4))) == (everywhere == "0")


def test_nothing_is_needed_for_ipv6(hosts: Hosts, made: Device) -> None:
    assert receives(IPv6(src="fd99::2", dst=str(A6)))
    assert receives(IPv6(src="2001:db8::7", dst=str(A6)))


def receives(head: IP | IPv6) -> bool:
    """Say whether an application receives what comes in by the device."""
    family = socket.AF_INET if IP in head else socket.AF_INET6
    with closing(socket.socket(family, socket.SOCK_DGRAM)) as application:
        application.bind((head.dst, 5000))
        application.settimeout(0.5)
        injector = TunInjector("alagg0", MemoryInjector())
        injector.send([bytes(head / UDP(sport=4000, dport=5000) / Raw(b"in"))])
        injector.close()
        try:
            return application.recv(100) == b"in"
        except TimeoutError:
            return False


def test_leaves_no_trace_when_closed_or_killed(hosts: Hosts) -> None:
    before = snapshot(hosts.a)
    for end in (lambda opened: opened.close(), lambda opened: os.close(opened.fileno())):
        opened = Device("alagg0")
        opened.apply(LAYOUT)
        assert snapshot(hosts.a) != before
        end(opened)
        assert snapshot(hosts.a) == before


def test_closes_although_a_child_holds_the_descriptor(hosts: Hosts, made: Device) -> None:
    held = os.dup(made.fileno())
    made.close()
    made.close()
    assert netlink.interface("alagg0") is None
    os.close(held)


def test_says_nothing_by_itself(hosts: Hosts, tapped: socket.socket) -> None:
    assert not select.select([tapped], [], [], 1.5)[0]
    assert "fe80" not in hosts.a.run(["ip", "address", "show", "alagg0"]).stdout


def test_refuses_a_name_that_is_taken(hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_PATIENCE", 0.1)
    hosts.a.ip("tuntap add alagg0 mode tun")
    with pytest.raises(HostError, match="device alagg0: exists already; choose another name with device = …"):
        Device("alagg0")
    with pytest.raises(HostError, match="device eth0"):
        Device("eth0")


def test_changes_only_what_differs(hosts: Hosts, made: Device) -> None:
    narrow = Layout(1280, (A4,), (Route(ip_network(B4), A4, 1256), Route(ip_network("10.1.2.0/24"), A4)))
    made.apply(narrow)
    assert hosts.a.run(["ip", "route", "show", "dev", "alagg0"]).stdout.splitlines() == [
        "10.1.2.0/24 proto static scope link src 10.99.0.1 ",
        "10.99.0.2 proto static scope link src 10.99.0.1 mtu 1256 ",
    ]
    assert "fd99" not in hosts.a.run(["ip", "-6", "route", "show", "dev", "alagg0"]).stdout
    assert made.layout == narrow
    found = netlink.interface("alagg0")
    assert found
    assert (found.mtu, found.up) == (1280, True)


def test_ipv6_tcp_fits_a_link_that_is_narrower_than_ipv6_allows(made: Device, tapped: socket.socket) -> None:
    made.apply(Layout(1280, (A6,), (Route(ip_network(B6), A6, 1256),)))
    wire = Wire(tapped, 6)
    client = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
    client.setblocking(False)
    with closing(client):
        client.connect_ex((str(B6), 80))
        assert dict(wire.take()[TCP].options)["MSS"] == 1256 - 60


def test_goes_on_after_a_refusal(hosts: Hosts, made: Device) -> None:
    wrong = Route(ip_network("10.1.2.3"), ip_address("192.0.2.9"))
    with pytest.raises(HostError, match=r"route to 10\.1\.2\.3/32"):
        made.apply(Layout(1400, (A4,), (*LAYOUT.routes, wrong)))
    made.apply(LAYOUT)
    assert netlink.source_address(B6) == A6
    found = netlink.path(B4)
    assert found
    assert found.index == made.index


def test_takes_its_name_back(hosts: Hosts, made: Device) -> None:
    hosts.a.ip("link set alagg0 name other0")
    assert made.lost() == ["name alagg0 (it was other0)"]
    made.apply(LAYOUT)
    assert (made.lost(), netlink.interface("other0")) == ([], None)


def test_a_name_that_another_interface_took_is_told(hosts: Hosts, made: Device) -> None:
    hosts.a.ip("link set alagg0 name other0", "link add alagg0 type veth peer name alagg1")
    with pytest.raises(HostError, match=r"alagg0.*File exists"):
        made.apply(LAYOUT)
    hosts.a.ip("link del alagg0")
    made.apply(LAYOUT)
    assert made.lost() == []
