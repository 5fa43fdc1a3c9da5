"""A real device: packets come in by it as they are, and what is routed to it is captured as it was meant."""

from __future__ import annotations

import errno
import json
import os
import select
import socket
from dataclasses import replace
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final

import pytest

from alagg.ports import tun
from alagg.ports.memory import MemoryInjector
from alagg.ports.rawip import RawInjector
from alagg.ports.tun import TunCapture, TunInjector
from alagg.system.device import Device, Layout
from alagg.system.routes import Route
from tests.engine.packets import UDP, Packet, parse, payload, segmented, v6
from tests.native.forms import FORMS
from tests.packets import DESTINATION, FRAGMENT, HOP_BY_HOP, PEER, PEER6, ROUTER_ALERT, US, US6, ipv4, ipv6
from tests.ports.conftest import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns

MARK: Final = 0xA1A6
LAYOUT: Final = Layout(
    mtu=1476,
    addresses=(ip_address(US), ip_address(US6)),
    routes=(Route(ip_network(PEER), ip_address(US)), Route(ip_network(PEER6), ip_address(US6))),
)


@pytest.fixture
def device(lab: Lab) -> Iterator[Device]:
    with inside(lab.a):
        opened = Device("alagg0")
        opened.apply(LAYOUT)
        yield opened
        opened.close()


@pytest.fixture(params=FORMS)
def injector(
    request: pytest.FixtureRequest, device: Device, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TunInjector]:
    monkeypatch.setattr(tun, "Writer", FORMS[request.param]("tun").Writer)
    opened = TunInjector("alagg0", RawInjector(MARK))
    yield opened
    opened.close()


def tap(interface: str) -> socket.socket:
    """See, byte for byte, what comes in by an interface."""
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
    opened.bind((interface, 3))
    opened.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
    opened.settimeout(5)
    return opened


@pytest.fixture
def tapped(device: Device) -> Iterator[socket.socket]:
    with tap("alagg0") as opened:
        yield opened


@pytest.mark.parametrize("packet", [
    pytest.param(ipv4(), id="IPv4"),
    pytest.param(ipv4(ttl=1), id="TTL of 1"),
    pytest.param(ipv4(ttl=255, tos=0xB8 | 3), id="TTL, DSCP and ECN"),
    pytest.param(ipv4(number=0, fragment=0), id="without identification"),
    pytest.param(ipv4(options=ROUTER_ALERT + b"\x01\x01\x01\x00"), id="options"),
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
def test_packet_arrives_as_it_left(injector: TunInjector, tapped: socket.socket, packet: bytes) -> None:
    assert injector.send([packet]) == 1
    assert tapped.recv(70_000) == packet
    assert injector.counters() == {"injected": 1, "merged": 0, "super_packets": 0, "not_captured": 0}


def segments(count: int, version: int) -> list[Packet]:
    """Give TCP segments of the peer's to us, 1000 bytes each, in order."""
    parts = segmented(Packet(source=ip_address(PEER).packed, destination=ip_address(US).packed,
                             payload=payload(count * 1000)), 1000)
    if version == 4:
        return parts
    return [v6(part, source=ip_address(PEER6).packed, destination=ip_address(US6).packed) for part in parts]


@pytest.mark.parametrize("version", [4, 6])
def test_consecutive_segments_come_in_as_one(injector: TunInjector, tapped: socket.socket, version: int) -> None:
    parts = segments(40, version)
    headers = 20 + 20 * (1 if version == 4 else 2)
    assert injector.send([part.pack() for part in parts]) == 40
    whole = tapped.recv(70_000)
    assert len(whole) == headers + 40_000
    assert whole[headers:] == payload(40_000)
    assert injector.counters() == {"injected": 40, "merged": 40, "super_packets": 1, "not_captured": 0}


@pytest.mark.parametrize(("family", "address", "version"), [(socket.AF_INET, US, 4), (socket.AF_INET6, US6, 6)])
def test_application_receives_every_datagram_with_the_peers_address(
    injector: TunInjector, family: socket.AddressFamily, address: str, version: int
) -> None:
    parts = [replace(part, protocol=UDP, dport=5000, sport=6000) for part in segments(20, version)]
    with socket.socket(family, socket.SOCK_DGRAM) as application:
        application.bind((address, 5000))
        application.settimeout(5)
        assert injector.send([part.pack() for part in parts]) == 20
        for part in parts:
            data, (source, port, *_) = application.recvfrom(2000)
            assert (data, source, port) == (part.payload, PEER if version == 4 else PEER6, 6000)


@pytest.mark.parametrize(("family", "address", "version"), [(socket.AF_INET, US, 4), (socket.AF_INET6, US6, 6)])
def test_raw_listener_receives_every_datagram_whole(
    injector: TunInjector, family: socket.AddressFamily, address: str, version: int
) -> None:
    parts = [replace(part, protocol=UDP, dport=5000).pack() for part in segments(20, version)]
    start = 20 if version == 4 else 40
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_UDP) as listener:
        listener.bind((address, 0))
        listener.settimeout(5)
        assert injector.send(parts) == 20
        for part in parts:
            data = listener.recv(2000)
            assert data[-len(part) + start :] == part[start:], "IPv4 comes with its header, IPv6 without"


def test_packets_arrive_in_order_and_both_families(injector: TunInjector, tapped: socket.socket) -> None:
    packets = [make(bytes([number])) for number in range(100) for make in (ipv4, ipv6)]
    assert injector.send(packets) == 200
    assert [tapped.recv(100) for _ in packets] == packets


def test_packets_that_the_host_refuses_are_counted_and_hold_nothing_up(
    injector: TunInjector, tapped: socket.socket
) -> None:
    good = [ipv4(b"first"), ipv6(b"second")]
    assert injector.send([good[0], b"\x50" + bytes(40), good[1]]) == 2
    assert [tapped.recv(100) for _ in good] == good
    counters = injector.counters()
    assert (counters["injected"], counters["dropped_EINVAL"]) == (2, 1)


# --- what the kernel hands to the device ------------------------------------------------------------------------


@pytest.fixture(params=FORMS)
def capture(
    request: pytest.FixtureRequest, injector: TunInjector, monkeypatch: pytest.MonkeyPatch
) -> TunCapture:
    monkeypatch.setattr(tun, "Reader", FORMS[request.param]("tun").Reader)
    return TunCapture(injector.fileno())


def taken(capture: TunCapture) -> list[bytes]:
    """Take all that waits."""
    found: list[bytes] = []
    while select.select([capture], [], [], 0)[0]:
        found += capture.receive()
    capture.settle()
    return found


@pytest.mark.parametrize(("family", "source", "peer"), [
    (socket.AF_INET, US, PEER), (socket.AF_INET6, US6, PEER6)
], ids=["IPv4", "IPv6"])  # fmt: skip
def test_packets_that_no_rule_caught_are_captured(
    capture: TunCapture, family: int, source: str, peer: str
) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as application:
        application.bind((source, 0))
        for number in range(100):
            application.sendto(bytes(number), (peer, 9))
    rounds = [capture.receive(), capture.receive()]
    assert [len(packets) for packets in rounds] == [64, 36]  # one round is bounded
    assert [parse(packet).payload for packets in rounds for packet in packets] == [bytes(n) for n in range(100)]
    counters = capture.counters()
    assert (counters["captured"], counters["from_device"], counters["dropped_malformed"]) == (100, 100, 0)


@pytest.mark.parametrize(("family", "source", "peer"), [
    (socket.AF_INET, US, PEER), (socket.AF_INET6, US6, PEER6)
], ids=["IPv4", "IPv6"])  # fmt: skip
def test_datagrams_that_were_sent_as_one_are_captured_as_they_are_meant(
    capture: TunCapture, family: int, source: str, peer: str
) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as application:
        application.bind((source, 0))
        application.setsockopt(socket.IPPROTO_UDP, 103, 500)  # UDP_SEGMENT
        application.sendto(payload(5700), (peer, 9))
    parts = [parse(packet) for packet in taken(capture)]
    assert [len(part.payload) for part in parts] == [500] * 11 + [200]
    assert b"".join(part.payload for part in parts) == payload(5700)


def test_what_was_injected_does_not_come_back(injector: TunInjector, capture: TunCapture) -> None:
    """To our own address, and to one that is nowhere; neither is routed to the device again."""
    assert injector.send([ipv4(), ipv6(), ipv4(destination="203.0.113.1")]) == 3
    answers = [packet for packet in taken(capture) if packet[9:10] != b"\x01" and packet[6:7] != b"\x3a"]
    assert answers == []


def test_nothing_waits_while_no_worker_has_a_queue(lab: Lab, device: Device) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as application:
        application.sendto(b"lost", (PEER, 9))
    with pytest.raises(BlockingIOError):
        os.read(device.fileno(), 100)
    (link,) = json.loads(lab.a.run(["ip", "-s", "-json", "link", "show", "alagg0"]).stdout)
    assert link["stats64"]["tx"]["dropped"] == 1
    for first in (True, False):
        late = TunInjector("alagg0", MemoryInjector(), first=first)
        assert late.counters()["not_captured"] == first
        late.close()


def test_two_workers_have_a_queue_each(injector: TunInjector, tapped: socket.socket) -> None:
    other = TunInjector("alagg0", MemoryInjector())
    for number, each in enumerate((injector, other, injector, other)):
        assert each.send([ipv4(bytes([number]))]) == 1
    assert [tapped.recv(100)[20:] for _ in range(4)] == [bytes([number]) for number in range(4)]
    other.close()
    assert injector.send([ipv4()]) == 1


# --- a device that is not there ---------------------------------------------------------------------------------


def test_other_injector_takes_over_when_the_device_is_gone(
    lab: Lab, device: Device, injector: TunInjector
) -> None:
    assert injector.send([ipv4()]) == 1
    device.close()
    assert select.select([injector], [], [], 0)[0]
    with pytest.raises(OSError, match="File descriptor in bad state"):
        TunCapture(injector.fileno()).receive()
    with tap("lo") as loopback:
        late = [ipv4(b"late"), ipv6(b"late"), ipv4(destination="203.0.113.1")]
        packets = [part.pack() for part in segments(3, 4)]
        assert injector.send([*packets, *late]) == 5
        assert injector.send(late) == 2
        assert [loopback.recv(2000) for _ in range(7)] == [*packets, *late[:2], *late[:2]]
    counters = injector.counters()
    assert (counters["injected"], counters["dropped_ENETUNREACH"]) == (8, 2)


def test_missing_device_is_not_made(lab: Lab) -> None:
    with inside(lab.a):
        with pytest.raises(OSError, match="no interface with this name"):
            TunInjector("alagg0", MemoryInjector())
        assert "alagg0" not in [name for _, name in socket.if_nameindex()]


def test_device_of_another_program_is_refused(lab: Lab) -> None:
    lab.a.ip("tuntap add alagg0 mode tun")
    with inside(lab.a), pytest.raises(OSError) as caught:
        TunInjector("alagg0", MemoryInjector())
    assert caught.value.errno == errno.EINVAL


def test_kernel_without_udp_super_packets_will_do(device: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tun, "_UDP_OFFLOADS", 0x8000)  # as before Linux 6.2, which refuses what it does not know
    injector = TunInjector("alagg0", MemoryInjector())
    assert injector.send([ipv4()]) == 1
    injector.close()


def test_close_gives_the_descriptors_back_once(injector: TunInjector) -> None:
    descriptor = injector.fileno()
    injector.close()
    injector.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)
    assert injector.fileno() == -1
