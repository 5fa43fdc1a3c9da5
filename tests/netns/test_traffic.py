"""Any IP traffic crosses between two running nodes, both ways at once: whole, once, each field as it left."""

from __future__ import annotations

import ipaddress
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.lab import measure
from alagg.lab.topology import Lab
from alagg.lab.wire import LinkSpec
from tests import packets
from tests.netns.conftest import running, say
from tests.packets import DESTINATION, FRAGMENT, HOP_BY_HOP
from tests.ports.conftest import inside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from alagg.lab.host import Host
    from alagg.lab.measure import Family

pytestmark = [pytest.mark.netns, pytest.mark.beside]

FAMILIES: Final[tuple[Family, ...]] = (4, 6)
GRACE: Final = 10.0
"""Seconds to wait for an echo: on a busy machine it may be late, and is not lost for that."""
LARGEST: Final[dict[Family, int]] = {4: 65_503, 6: 65_483}
"""Bytes of the largest UDP datagram that an NFQUEUE hands over whole: 65,531 with the IP and UDP headers."""
SCRIPT: Final = str(Path(__file__).parents[2] / "scripts" / "alagg-iptables")


@pytest.fixture(scope="module", params=["yes", "no"], ids=["gso", "no-gso"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with running(Lab(links=2), gso=request.param) as built:
        yield built


def directions(one: Host, other: Host) -> list[tuple[Host, Host, Family]]:
    return [(source, target, family) for source, target in ((one, other), (other, one)) for family in FAMILIES]


def assert_sizes_cross(one: Host, other: Host, sizes: Sequence[int], protocol: str = "udp") -> None:
    """Exchange messages of these sizes, both families and both directions at once."""
    flows = [
        measure.sizes(source, target, sizes, family=family, protocol=protocol, grace=GRACE)
        for source, target, family in directions(one, other)
    ]
    for flow in flows:
        result = flow.result()
        say(result)
        assert (result.sent, result.lost, result.damaged) == (len(sizes), [], [])


def assert_transfers_cross(one: Host, other: Host, size: int) -> None:
    """Send over TCP, both families and both directions at once, and compare SHA-256."""
    flows = [measure.transfer(source, target, size=size, family=family)
             for source, target, family in directions(one, other)]
    for flow in flows:
        result = flow.result(timeout=280)
        say(result)
        assert (result.received, result.intact, result.problem) == (size, True, "")


def assert_pings_cross(one: Host, other: Host, count: int = 100) -> None:
    flows = [measure.ping(source, target, count=count, interval=0.005, family=family, grace=GRACE)
             for source, target, family in directions(one, other)]
    for flow in flows:
        result = flow.result()
        say(result)
        assert (result.received, result.duplicated, result.out_of_order) == (count, 0, 0)


# --- protocols and sizes ----------------------------------------------------------------------------------------


def test_pings(lab: Lab) -> None:
    assert_pings_cross(lab.a, lab.b)
    assert_sizes_cross(lab.a, lab.b, [16, 56, 1400, 1448, 1476, 1500, 2000, 8000, 32_000, 65_000], "icmp")


def test_udp_of_every_size(lab: Lab) -> None:
    assert_sizes_cross(lab.a, lab.b, range(2001))


def test_large_udp(lab: Lab) -> None:
    assert_sizes_cross(lab.a, lab.b, [8000, 32_000, LARGEST[6]])
    result = lab.a.sizes(lab.b, [LARGEST[4]])
    assert (result.lost, result.damaged) == ([], [])


@pytest.mark.parametrize("family", FAMILIES)
def test_udp_too_large_for_the_queue_is_refused_with_a_counter_and_not_cut(lab: Lab, family: Family) -> None:
    before = lab.a.node.status()["capture"]["dropped_oversize"]
    received = lab.b.node.status()["injector"]["injected"]
    result = lab.a.sizes(lab.b, [LARGEST[family] + 1], family=family)
    assert (result.lost, result.damaged) == ([LARGEST[family] + 1], [])
    assert lab.a.node.status()["capture"]["dropped_oversize"] == before + 1
    assert lab.b.node.status()["injector"]["injected"] == received


def test_another_ip_protocol(lab: Lab) -> None:
    assert_sizes_cross(lab.a, lab.b, [1, 2, 100, 1400, 1456, 1476, 1500, 2000, 8000], "253")


def test_tcp(lab: Lab) -> None:
    assert_transfers_cross(lab.a, lab.b, 20_000_000)
    wanted = "gso = yes" in lab.a.node.config.read_text()
    for host in lab.hosts:
        assert (host.node.status()["capture"]["super_packets"] > 0) == wanted


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_tcp_of_500_mb(lab: Lab) -> None:
    flows = [
        measure.transfer(lab.a, lab.b, size=500_000_000, family=4),
        measure.transfer(lab.b, lab.a, size=500_000_000, family=6),
    ]
    for flow in flows:
        result = flow.result(timeout=280)
        say(result)
        assert (result.received, result.intact, result.problem) == (500_000_000, True, "")


# --- fields -----------------------------------------------------------------------------------------------------


TTL, TRAFFIC_CLASS, NUMBER = 7, 0xB9, 0xBEEF


@pytest.mark.parametrize("packet", [
    pytest.param(packets.ipv4(ttl=TTL), id="TTL"),
    pytest.param(packets.ipv4(ttl=1), id="TTL of 1"),
    pytest.param(packets.ipv4(tos=TRAFFIC_CLASS), id="TOS"),
    pytest.param(packets.ipv4(number=NUMBER), id="IP ID"),
    pytest.param(packets.ipv4(number=NUMBER, fragment=0x4000), id="don't fragment"),
    pytest.param(packets.ipv4(options=packets.ROUTER_ALERT), id="router alert"),
    pytest.param(packets.ipv4(options=b"\x01" * 36 + b"\x94\x04\x00\x00"), id="40 bytes of options"),
    pytest.param(packets.ipv4(b"f" * 800, fragment=0x2000, number=NUMBER), id="first fragment"),
    pytest.param(packets.ipv4(b"f" * 800, fragment=0x2064, number=NUMBER), id="middle fragment"),
    pytest.param(packets.ipv4(b"f" * 3, fragment=0x00C8, number=NUMBER), id="last fragment"),
    pytest.param(packets.ipv6(hops=TTL), id="hop limit"),
    pytest.param(packets.ipv6(traffic_class=TRAFFIC_CLASS, flow=0xABCDE), id="traffic class and flow label"),
    pytest.param(packets.ipv6(HOP_BY_HOP + DESTINATION + b"x", following=0), id="hop-by-hop and destination options"),
    pytest.param(packets.ipv6(DESTINATION + b"x", following=60), id="destination options"),
    pytest.param(packets.ipv6(FRAGMENT + b"f" * 800, following=44), id="IPv6 fragment"),
    pytest.param(packets.ipv6(b"", following=59), id="no next header"),
])
def test_packet_arrives_byte_for_byte(lab: Lab, packet: bytes) -> None:
    """From b to a, as the packets are made for that, whichever way a's node gives them to a's IP stack."""
    with inside(lab.a), socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3)) as everything:
        everything.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
        everything.settimeout(5)
        send_as_is(lab.b, packet)
        data, origin = everything.recvfrom(2000)
        while origin[1] not in (0x0800, 0x86DD):  # the frames on the links
            data, origin = everything.recvfrom(2000)
        assert data == packet


def send_as_is(host: Host, packet: bytes) -> None:
    """Send a packet that brings its own header."""
    four = packet[0] >> 4 == 4
    family, address = (socket.AF_INET, packet[16:20]) if four else (socket.AF_INET6, packet[24:40])
    with inside(host), socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as opened:
        opened.sendto(packet, (str(ipaddress.ip_address(address)), 0))


def test_fragments_are_joined_by_the_receiving_host(lab: Lab) -> None:
    """They cross one by one, in either order; only the host that they are for puts them together."""
    for family in FAMILIES:
        with inside(lab.a):
            receiver = socket.socket(socket.AF_INET if family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
            receiver.bind((lab.a.address(family), 4000))
            receiver.settimeout(5)
        with receiver:
            payload = bytes(number % 251 for number in range(2400))
            for packet in reversed(udp_fragments(family, payload)):
                send_as_is(lab.b, packet)
            assert receiver.recv(5000) == payload


def udp_fragments(family: Family, payload: bytes) -> list[bytes]:
    """Give a UDP datagram from b to a in three fragments."""
    length = 8 + len(payload)
    if family == 4:
        datagram = struct.pack(">HHHH", 4001, 4000, length, 0) + payload  # IPv4 may go without a checksum
    else:
        addresses = ipaddress.IPv6Address(packets.PEER6).packed + ipaddress.IPv6Address(packets.US6).packed
        unsigned = struct.pack(">HHHH", 4001, 4000, length, 0) + payload
        checksum = packets.checksum(addresses + struct.pack(">II", length, socket.IPPROTO_UDP) + unsigned)
        datagram = unsigned[:6] + struct.pack(">H", checksum or 0xFFFF) + payload
    fragments = []
    for start in range(0, length, 808):
        piece, more = datagram[start : start + 808], start + 808 < length
        if family == 4:
            packet = bytearray(packets.ipv4(piece, number=77, fragment=start // 8 | more << 13))
            packet[9], packet[10:12] = socket.IPPROTO_UDP, b"\0\0"
            packet[10:12] = packets.checksum(bytes(packet[:20])).to_bytes(2, "big")
            fragments.append(bytes(packet))
        else:
            header = struct.pack(">BBHI", socket.IPPROTO_UDP, 0, start | more, 77)
            fragments.append(packets.ipv6(header + piece, following=44))
    return fragments


# --- other set-ups ----------------------------------------------------------------------------------------------


def test_links_of_different_mtu() -> None:
    with running(Lab([LinkSpec(1500), LinkSpec(1280), LinkSpec(9000)])) as lab:
        assert_pings_cross(lab.a, lab.b)
        sizes = [0, 1, 1207, 1208, 1228, 1229, 1240, 1280, 1400, 1500, 8972, 32_000, LARGEST[6]]
        assert_sizes_cross(lab.a, lab.b, sizes)
        assert_transfers_cross(lab.a, lab.b, 5_000_000)
        status = lab.a.node.status()
        assert [link["mtu"] for link in status["links"]] == [1500, 1280, 9000]
        tx, rx = status["peers"][0]["tx"], status["peers"][0]["rx"]
        assert tx["split"] > 0
        assert rx["pieces_incomplete"] == rx["pieces_inconsistent"] == rx["lost"] == 0
        assert status["links"][1]["tx_frames"] >= tx["captured"], "the narrow link carries everything, too"


def test_gateways_join_the_networks_behind_them() -> None:
    """chains = OUTPUT, FORWARD on both; each packet is caught once, so nothing goes round."""
    with running(Lab(links=2, lans=True)) as lab:
        count = 50
        assert_pings_cross(lab.lan_a, lab.lan_b, count)
        for host in lab.hosts:
            tx = host.node.status()["peers"][0]["tx"]
            # Requests and answers, in both families; IPv6 neighbours ask each other on their own link only.
            assert (tx["captured"], tx["sent"]) == (4 * count, 4 * count)
        assert_pings_cross(lab.a, lab.lan_b)
        # The first packet that is too large teaches its sender the path's MTU, as on any path (RFC 1191, RFC 8201).
        for source, target, family in directions(lab.lan_a, lab.lan_b):
            source.sizes(target, [1472], family=family)
        assert_sizes_cross(lab.lan_a, lab.lan_b, [0, 1, 1400, 1448, 1472, 1500, 2000, 8000, 32_000])
        assert_transfers_cross(lab.lan_a, lab.lan_b, 5_000_000)
        lab.wire[0].unplug()
        assert_pings_cross(lab.lan_a, lab.lan_b)


def test_rules_made_by_the_script_do_as_well() -> None:
    """With manage_host = no, the node changes nothing and works with the rules that it finds."""
    with Lab(links=2) as lab:
        for host, peer in (lab.hosts, lab.hosts[::-1]):
            host.run([SCRIPT, "install", "--socket", str(host.node.socket), peer.ipv4, peer.ipv6])
        lab.start_nodes({"manage_host": "no"})
        lab.await_links()
        assert not lab.a.run(["ip", "link", "show", "alagg0"], check=False).stdout
        assert_pings_cross(lab.a, lab.b)
        assert_sizes_cross(lab.a, lab.b, [0, 1448, 1472, 1473, 8000, LARGEST[6]])
        assert_transfers_cross(lab.a, lab.b, 5_000_000)
        lab.wire[1].unplug()
        assert_pings_cross(lab.a, lab.b)
        assert lab.a.node.status()["peers"][0]["tx"]["captured"] > 0
        lab.stop_nodes()
        for host, peer in (lab.hosts, lab.hosts[::-1]):
            host.run([SCRIPT, "remove", "--socket", str(host.node.socket), peer.ipv4, peer.ipv6])
            assert not host.run(["iptables-legacy", "-S", "OUTPUT"]).stdout.count("NFQUEUE")


def has_mtu(mtu: int) -> Callable[[dict[str, Any]], bool]:
    return lambda status: all(link["mtu"] == mtu for link in status["links"])


def test_changed_mtu_is_followed_without_a_restart() -> None:
    with running(Lab(links=2, direct=True)) as lab:
        for mtu in (9000, 1280, 1500):
            for host in lab.hosts:
                host.ip(f"link set eth0 mtu {mtu}", f"link set eth1 mtu {mtu}")
            for host in lab.hosts:
                host.node.wait_status(has_mtu(mtu))
            lab.await_links()
            assert_sizes_cross(lab.a, lab.b, [0, 1200, 1472, 4000, 8948, 32_000])
            assert_transfers_cross(lab.a, lab.b, 1_000_000)


def test_worker_that_dies_ends_the_node_in_one_line(lab: Lab) -> None:
    del lab
    with Lab(links=1) as small:
        small.start_nodes()
        node = small.a.node
        (worker,) = [pid for pid in node.processes() if pid != node.pid]
        small.a.run(["kill", "-KILL", str(worker)])
        process = node._started()
        assert process.wait(10) == 1
        assert node.tail(1) == "alagg: the worker process has died (killed by SIGKILL)"
        assert not small.a.run(["iptables-legacy", "-S", "OUTPUT"]).stdout.count("NFQUEUE")
        assert not small.a.run(["ip", "link", "show", "alagg0"], check=False).stdout
