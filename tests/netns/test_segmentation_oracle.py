"""The kernel as oracle: it segments the same super-packets, and takes apart again what was merged.

A super-packet is written to a TUN device and forwarded to a veth without offloads, where it leaves as segments::

    test ──write──► tun ──forward (TTL - 1)──► out ══ veth ══ wire ──AF_PACKET──► test
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyroute2 import netns

from alagg.engine.merge import ALONE, Item, Merger
from alagg.engine.segment import complete, cut, cut_datagrams
from alagg.lab.namespace import Namespace
from tests.engine.packets import ACK, AE, CWR, PSH, TCP, UDP, Packet, packets, payload, segmented, v6

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.netns, pytest.mark.beside]

BOTH = pytest.mark.parametrize("base", [Packet(), v6()], ids=["IPv4", "IPv6"])
ONE_KERNEL = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
MTU: Final = 1500
TUNSETIFF: Final = 0x400454CA
IFF_TUN, IFF_NO_PI, IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
ETH_P_ALL: Final = 3
NEEDS_CSUM: Final = 1
GSO_ECN: Final = 0x80
GSO_TYPES: Final = {(4, TCP): 1, (6, TCP): 4, (4, UDP): 5, (6, UDP): 5}
NEIGHBOUR: Final = bytes.fromhex("020000000002")


@dataclass
class Kernel:
    """Descriptors into a namespace whose kernel forwards and segments."""

    tun: int
    wire: socket.socket

    def forward(self, *writes: bytes, count: int) -> list[bytes]:
        """Write to the device; give the packets that leave, `count` and whatever comes right behind them."""
        for write in writes:
            assert os.write(self.tun, write) == len(write)
        received: list[bytes] = []
        while len(received) < count:
            readable, _, _ = select.select([self.wire], [], [], 5)
            assert readable, f"{len(received)} of {count} segments came"
            received += self._receive()
        return received

    def _receive(self) -> list[bytes]:
        frames = []
        with suppress(BlockingIOError):
            while True:
                frames.append(self.wire.recv(65_600))
        # The kernel reports its multicast groups now and then.
        return [frame[14:] for frame in frames if frame[:6] == NEIGHBOUR]


@contextmanager
def inside(name: str) -> Iterator[None]:
    """Open descriptors in a namespace; they stay there."""
    netns.pushns(name)
    try:
        yield
    finally:
        netns.popns()


def open_tun() -> int:
    descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    request = struct.pack("16sH22x", b"tun", IFF_TUN | IFF_NO_PI | IFF_VNET_HDR)
    fcntl.ioctl(descriptor, TUNSETIFF, request)
    return descriptor


def open_wire() -> socket.socket:
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    wire.bind(("wire", 0))
    wire.setblocking(False)
    return wire


SETUP: Final = (
    "link set out up", "link set wire up", "link set tun up",
    "route add 10.0.0.1 dev tun", "route add fd00::1 dev tun",
    "route add 10.0.0.2 dev out", "route add fd00::2 dev out",
    "neighbour add 10.0.0.2 lladdr 02:00:00:00:00:02 dev out",
    "neighbour add fd00::2 lladdr 02:00:00:00:00:02 dev out",
)  # fmt: skip


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    space = Namespace(f"alagg-{os.getpid()}-segmentation")
    space.create()
    try:
        space.sysctl({"net.ipv4.conf.all.rp_filter": 0, "net.ipv4.conf.default.rp_filter": 0})
        space.ip("link add out mtu 1500 type veth peer name wire mtu 1500")
        space.sysctl({
            "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1,
            "net.ipv6.conf.out.disable_ipv6": 0, "net.ipv6.conf.wire.disable_ipv6": 1,
        })  # fmt: skip
        space.run(["ethtool", "-K", "out", "tso", "off", "gso", "off", "tx", "off", "tx-udp-segmentation", "off"])
        with ExitStack() as opened, inside(space.name):
            tun = open_tun()
            opened.callback(os.close, tun)
            space.ip(*SETUP)
            wire = opened.enter_context(open_wire())
            yield Kernel(tun, wire)
    finally:
        space.remove()


def vnet(packet: Packet, step: int) -> bytes:
    """Describe a packet as its sender's kernel would: to be cut into `step` bytes of payload if it has more."""
    start = len(packet.pack()) - len(packet.payload)
    size = 8 if packet.protocol == UDP else 20 + len(packet.options)
    field = 6 if packet.protocol == UDP else 16
    kind = GSO_TYPES[packet.version, packet.protocol] | (GSO_ECN if packet.flags & CWR else 0)
    if len(packet.payload) <= step:
        kind = step = 0
    return struct.pack("=BBHHHH", NEEDS_CSUM, kind, start, step, start - size, field)


def write_of(item: Item) -> bytes:
    header, head, parts, offset = item
    return header + head + b"".join(part[offset:] for part in parts)


def forwarded(packet: Packet) -> Packet:
    return replace(packet, ttl=packet.ttl - 1)


@given(
    packets(max_payload=60_000).filter(lambda packet: packet.ttl > 1 and not packet.flags & AE),
    st.integers(1000, MTU - 120),
)
@ONE_KERNEL
def test_segments_are_those_of_the_kernel(kernel: Kernel, packet: Packet, step: int) -> None:
    size = len(packet.pack()) - len(packet.payload) + step
    ours = cut(forwarded(packet).pack_partial(), size)
    assert kernel.forward(vnet(packet, step) + packet.pack_partial(), count=len(ours)) == ours


@pytest.mark.parametrize("protocol", [TCP, UDP])
@pytest.mark.parametrize("size", [1, 2, 999, 1400])
@BOTH
def test_completed_checksum_is_the_kernel_s(kernel: Kernel, base: Packet, protocol: int, size: int) -> None:
    packet = replace(base, protocol=protocol, payload=payload(size))
    ours = complete(forwarded(packet).pack_partial())
    assert kernel.forward(vnet(packet, size) + packet.pack_partial(), count=1) == [ours]


@pytest.mark.parametrize("last", [1, 999, 1000])
@BOTH
def test_datagrams_are_those_of_the_kernel(kernel: Kernel, base: Packet, last: int) -> None:
    packet = replace(base, protocol=UDP, payload=payload(40_000 + last))
    ours = cut_datagrams(forwarded(packet).pack_partial(), 1000)
    assert len(ours) == 41
    assert kernel.forward(vnet(packet, 1000) + packet.pack_partial(), count=len(ours)) == ours


@pytest.mark.parametrize("last", [1, 999, 1000])
@BOTH
def test_kernel_takes_super_packets_apart_into_what_was_merged(kernel: Kernel, base: Packet, last: int) -> None:
    super_packet = replace(base, payload=payload(40_000 + last), flags=ACK | PSH)
    parts = segmented(super_packet, 1000)
    (item,) = Merger().merge([part.pack() for part in parts])
    assert item[0] != ALONE
    expected = [forwarded(part).pack() for part in parts]
    assert kernel.forward(write_of(item), count=len(parts)) == expected


@BOTH
def test_what_stays_alone_passes_as_it_is(kernel: Kernel, base: Packet) -> None:
    packet = replace(base, payload=payload(700), flags=ACK | PSH)
    (item,) = Merger().merge([packet.pack()])
    assert kernel.forward(write_of(item), count=1) == [forwarded(packet).pack()]
