"""Reading and writing settings, and the experiment that tells which of them the injection needs: none."""

from __future__ import annotations

import itertools
import socket
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from alagg.system import sysctl

if TYPE_CHECKING:
    from .conftest import Hosts

pytestmark = pytest.mark.netns

_SO_MARK = 36
PORT = 5000


def test_reads_and_writes(hosts: Hosts) -> None:
    name = "net/ipv4/conf/eth0/rp_filter"
    assert sysctl.write(name, "2")
    assert sysctl.read(name) == "2"
    assert sysctl.read("net/ipv4/conf/nosuch0/rp_filter") is None
    assert not sysctl.write("net/ipv4/conf/nosuch0/rp_filter", "1")
    assert not sysctl.write(name, "nonsense")


def inject(packet: bytes, family: int) -> None:
    """Do what the node's injector does: a raw socket, the header included, marked."""
    with closing(socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)) as raw:
        raw.setsockopt(socket.SOL_SOCKET, _SO_MARK, 0xA1A6)
        raw.sendto(packet, ("10.99.0.1", 0) if family == socket.AF_INET else ("fd99::1", 0))


@pytest.mark.parametrize("source", ["10.99.0.2", "10.98.0.2", "198.51.100.7"])
@pytest.mark.parametrize(("everywhere", "single"), list(itertools.product("012", "012")))
def test_rp_filter_does_not_touch_injected_ipv4(hosts: Hosts, everywhere: str, single: str, source: str) -> None:
    """The source is reached by the link it belongs to, by another one, or by no route at all."""
    for name, value in (("all", everywhere), ("lo", single), ("eth0", single), ("eth1", single)):
        assert sysctl.write(f"net/ipv4/conf/{name}/rp_filter", value)
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("10.99.0.1", PORT))
        receiver.settimeout(2)
        packet = IP(src=source, dst="10.99.0.1", ttl=7) / UDP(sport=4000, dport=PORT) / Raw(b"in")
        inject(bytes(packet), socket.AF_INET)
        assert receiver.recvfrom(100) == (b"in", (source, 4000))


@pytest.mark.parametrize("source", ["fd99::2", "fd98::2", "2001:db8::7"])
def test_nothing_is_needed_for_injected_ipv6(hosts: Hosts, source: str) -> None:
    with closing(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)) as receiver:
        receiver.bind(("fd99::1", PORT))
        receiver.settimeout(2)
        packet = IPv6(src=source, dst="fd99::1", hlim=7) / UDP(sport=4000, dport=PORT) / Raw(b"in")
        inject(bytes(packet), socket.AF_INET6)
        assert receiver.recvfrom(100)[0] == b"in"
