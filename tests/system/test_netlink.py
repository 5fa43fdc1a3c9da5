from __future__ import annotations

import select
import socket
import threading
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from alagg.system import netlink
from alagg.system.netlink import AddressEvent, LinkEvent, RouteEvent, Watcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .conftest import Hosts

pytestmark = pytest.mark.netns


@pytest.fixture
def watcher(hosts: Hosts) -> Iterator[Watcher]:
    made = Watcher()
    yield made
    made.close()


def eth0() -> netlink.Interface:
    found = netlink.interface("eth0")
    assert found is not None
    return found


def test_reads_an_interface(hosts: Hosts) -> None:
    found = eth0()
    assert found == netlink.Interface(
        found.index, "eth0", bytes.fromhex("020000000a00"), 1500, up=True, carrier=True,
        type=netlink.ETHERNET, qdisc="noqueue",
    )
    assert netlink.interface("nosuch0") is None
    assert {one.name for one in netlink.interfaces()} == {"lo", "eth0", "eth1"}
    hosts.b.ip("link set eth0 down")
    assert not eth0().carrier
    hosts.a.ip("link set eth0 down")
    assert not eth0().up


def test_local_addresses_leave_out_the_loopback(hosts: Hosts) -> None:
    own = netlink.local_addresses()
    assert {ip_address("10.99.0.1"), ip_address("fd98::1")} <= own
    assert not any(address.is_loopback for address in own)


def test_source_address_is_what_the_kernel_would_take(hosts: Hosts) -> None:
    assert netlink.source_address(ip_address("10.98.0.2")) == ip_address("10.98.0.1")
    assert netlink.source_address(ip_address("fd98::2")) == ip_address("fd98::1")
    assert netlink.source_address(ip_address("192.0.2.1")) is None
    own = netlink.path(ip_address("10.98.0.1"))
    assert own
    assert own.local
    hosts.a.ip("route add 192.0.2.0/24 via 10.98.0.2")
    routed = netlink.path(ip_address("192.0.2.1"))
    assert routed
    assert routed.gateway
    assert netlink.source_address(ip_address("192.0.2.1")) == ip_address("10.98.0.1")


def test_places_do_not_mind_an_interface_that_is_down(hosts: Hosts) -> None:
    hosts.a.ip("link set eth0 down")
    found = [(one.address, one.network) for one in netlink.places() if one.index == eth0().index]
    assert (ip_address("10.99.0.1"), ip_network("10.99.0.0/24")) in found


def test_watcher_tells_of_routes_of_the_device_and_to_its_destinations_only(hosts: Hosts, watcher: Watcher) -> None:
    watcher.watch_routes(eth0().index, [ip_network("192.0.2.0/24"), ip_network("2001:db8::/64")])
    hosts.a.ip("route add 198.51.100.0/24 dev eth1", "route add 192.0.2.0/25 dev eth1")
    assert watcher.events() == []
    hosts.a.ip(
        "route add 198.51.100.0/25 dev eth0", "route add 192.0.2.0/24 dev eth1", "route add 2001:db8::/64 dev eth1"
    )
    told = [event.entry.destination for event in watcher.events() if isinstance(event, RouteEvent)]
    assert told == [ip_network("198.51.100.0/25"), ip_network("192.0.2.0/24"), ip_network("2001:db8::/64")]


def test_watcher_tells_each_change_once(hosts: Hosts, watcher: Watcher) -> None:
    index = eth0().index
    assert watcher.events() == []
    hosts.a.ip("link set eth0 mtu 1400", "address add 10.5.0.1/24 dev eth0", "address del 10.5.0.1/24 dev eth0")
    events = watcher.events()
    assert [event.interface.mtu for event in events if isinstance(event, LinkEvent)] == [1400]
    assert [event for event in events if isinstance(event, AddressEvent)] == [
        AddressEvent(index, ip_address("10.5.0.1"), gone=False),
        AddressEvent(index, ip_address("10.5.0.1"), gone=True),
    ]
    hosts.b.ip("link set eth0 down")
    select.select([watcher], [], [], 5)  # the kernel tells of carriers with a delay
    [event] = watcher.events()
    assert isinstance(event, LinkEvent)
    assert not event.interface.carrier


def test_watcher_tells_of_renamed_deleted_and_new_interfaces(hosts: Hosts, watcher: Watcher) -> None:
    hosts.a.ip("link set eth1 down", "link set eth1 name net1", "link del eth0")
    gone = [event.interface.name for event in watcher.events() if isinstance(event, LinkEvent) and event.gone]
    assert gone == ["eth1", "eth0"]
    hosts.plug(0)
    there = {event.interface.name for event in watcher.events() if isinstance(event, LinkEvent) and not event.gone}
    assert "eth0" in there
    assert {one.name for one in watcher.interfaces} == {"lo", "eth0", "net1"}
    assert ip_address("fd99::1") in watcher.addresses


def test_watcher_survives_losing_messages(hosts: Hosts, watcher: Watcher) -> None:
    watcher._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    hosts.a.ip(*(f"address add 10.5.{number}.1/24 dev eth0" for number in range(100)), "link del eth1")
    found = set()
    while events := watcher.events():
        found |= {event.address for event in events if isinstance(event, AddressEvent) and not event.gone}
    assert {ip_address(f"10.5.{number}.1") for number in range(100)} <= found
    assert {one.name for one in watcher.interfaces} == {"lo", "eth0"}
    assert watcher.addresses == netlink.local_addresses()


def test_leaves_no_thread_and_no_descriptor(hosts: Hosts) -> None:
    eth0()
    threads = set(threading.enumerate())  # those of earlier tests may still be ending
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        eth0()
        Watcher().close()
        netlink.path(ip_address("192.0.2.1"))
    assert set(threading.enumerate()) <= threads
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
