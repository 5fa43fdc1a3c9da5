"""Two hosts on one bare veth pair, with a way to work inside of them, and Ethernet ports at both."""

from __future__ import annotations

import select
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from pyroute2 import netns

from alagg.lab.topology import Lab
from alagg.ports.ethernet import EthernetPort
from tests.ports.batches import frames_of, send

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.host import Host
    from alagg.lab.namespace import Namespace

ETHERTYPE: Final = 0x88B5
STRANGER: Final = bytes.fromhex("020000009999")


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(1, direct=True) as lab:
        yield lab


@contextmanager
def inside(namespace: Namespace) -> Iterator[None]:
    """Let this process work in a namespace; a socket stays where it was made."""
    netns.pushns(namespace.name)
    try:
        yield
    finally:
        netns.popns()


def mac(host: Host) -> bytes:
    return bytes.fromhex(host.mac(0).replace(":", ""))


@contextmanager
def port(
    host: Host, *peers: bytes, interface: str = "eth0", index: int = 0, count: int = 1
) -> Iterator[EthernetPort]:
    with inside(host):
        opened = EthernetPort(interface, peers, ETHERTYPE, index, count)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def ends(lab: Lab) -> Iterator[tuple[EthernetPort, EthernetPort]]:
    """Give both ends of the link."""
    with port(lab.a, mac(lab.b)) as one, port(lab.b, mac(lab.a)) as other:
        await_both_ways(one, other)
        yield one, other


@pytest.fixture
def wire(lab: Lab) -> Iterator[socket.socket]:
    """Give a socket that puts any frame on the wire at host a."""
    with inside(lab.a), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as opened:
        opened.bind(("eth0", 0))
        yield opened


def received(port: EthernetPort) -> list[bytes]:
    """Give the frames that the port received, in one piece each; wait a moment for the first one."""
    select.select([port], (), (), 1)
    return frames_of(port.receive())


def peer_of(port: EthernetPort) -> bytes:
    """Give the address that a port with one peer sends to."""
    (remote,) = port._prefixes
    return remote


def put(port: EthernetPort, *payloads: bytes) -> int:
    """Send frames to the port's only peer."""
    return send(port, *payloads, remote=peer_of(port))


def await_both_ways(one: EthernetPort, other: EthernetPort) -> None:
    """Wait until frames cross: for a moment after the carrier has come, the kernel takes them and drops them."""
    for source, target in ((one, other), (other, one)):
        for _ in range(1000):
            assert put(source, b"?") == 1
            if select.select([target], (), (), 0.01)[0]:
                break
        while target.receive():
            pass


def ethernet(destination: bytes, source: bytes, body: bytes, ethertype: int = ETHERTYPE) -> bytes:
    return destination + source + ethertype.to_bytes(2, "big") + body
