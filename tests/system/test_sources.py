"""The source address is what the kernel would choose without the node, however often it is looked for."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from alagg.system import netlink
from alagg.system.sources import Sources, first_host, own_networks, with_ways

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.config import Config

    from .conftest import Hosts

    MakeConfig = Callable[..., Config]

TARGET = ip_network("192.0.2.7")


def index_of(name: str) -> int:
    found = netlink.interface(name)
    assert found
    return found.index


@pytest.mark.parametrize(
    ("network", "host"),
    [("10.0.0.0/24", "10.0.0.1"), ("10.0.0.7/32", "10.0.0.7"), ("10.0.0.6/31", "10.0.0.6"), ("fd::/64", "fd::1"),
     ("0.0.0.0/0", "1.0.0.1"), ("::/0", "2000::1"), ("0.0.0.0/1", "1.0.0.1")],
)
def test_first_host(network: str, host: str) -> None:
    assert first_host(ip_network(network)) == ip_address(host)


@pytest.mark.netns
def test_the_longest_prefix_and_its_source_decide_on_each_look(hosts: Hosts, make_config: MakeConfig) -> None:
    """A wide network of another interface covers the destination, too; the node's own route hides the host's."""
    hosts.a.ip("address add 192.0.0.9/16 dev eth1", "address add 10.50.0.1/32 dev lo")
    hosts.a.ip("route add 192.0.2.7/32 dev eth0 src 10.50.0.1")
    config, sources = make_config(peer="destinations = 192.0.2.7"), Sources()
    hosts.a.ip("link add own type veth peer name end", "link set own up")
    own = index_of("own")
    assert sources.look(config, own) == {TARGET: ip_address("10.50.0.1")}
    hosts.a.run(["ip", "route", "prepend", "192.0.2.7/32", "dev", "own"])
    for looks in (sources, sources, Sources()):
        assert looks.look(config, own) == {TARGET: ip_address("10.50.0.1")}
    hosts.a.ip("route change 192.0.2.7/32 dev eth0 src 10.99.0.1")


@pytest.mark.netns
def test_a_route_that_is_gone_takes_no_address_with_it(hosts: Hosts, make_config: MakeConfig) -> None:
    hosts.a.ip("address add 192.0.0.9/16 dev eth1", "route add 192.0.2.7/32 dev eth0 src 10.99.0.1")
    config, sources = make_config(peer="destinations = 192.0.2.7"), Sources()
    assert sources.look(config, 0) == {TARGET: ip_address("10.99.0.1")}
    hosts.a.ip("route del 192.0.2.7/32 dev eth0")
    assert sources.look(config, 0) == {TARGET: ip_address("10.99.0.1")}
    hosts.a.ip("route add 192.0.2.7/32 dev eth1 src 10.98.0.1")
    assert sources.look(config, 0) == {TARGET: ip_address("10.98.0.1")}
    assert Sources().look(config, 0) == {TARGET: ip_address("10.98.0.1")}


@pytest.mark.netns
def test_rules_of_routing_count(hosts: Hosts, make_config: MakeConfig) -> None:
    hosts.a.ip("route add 192.0.2.0/24 dev eth0", "route add 192.0.2.0/24 dev eth1 src 10.98.0.1 table 100")
    hosts.a.ip("rule add to 192.0.2.0/24 lookup 100")
    found = Sources().look(make_config(peer="destinations = 192.0.2.7"), 0)
    assert found == {TARGET: ip_address("10.98.0.1")}


@pytest.mark.netns
def test_own_networks_are_those_of_interfaces(hosts: Hosts) -> None:
    hosts.a.ip("address add 10.50.0.1/32 dev lo", "route add 192.0.2.0/24 dev eth1")
    found = own_networks(index_of("eth1"))
    assert {ip_network("10.99.0.0/24"), ip_network("fd99::/64")} <= found
    assert not {ip_network("10.98.0.0/24"), ip_network("192.0.2.0/24"), ip_network("10.50.0.1")} & found


@pytest.mark.netns
def test_ways_besides_the_device_are_found_beneath_its_routes(hosts: Hosts) -> None:
    both = [TARGET, ip_network("fd55::7/128")]
    hosts.a.ip("link add own type veth peer name end", "link set own up", "link set end up")
    own = index_of("own")
    hosts.a.ip("route add 192.0.2.7/32 dev own", "route add fd55::7/128 dev own metric 1")
    assert with_ways(both, own) == frozenset()
    hosts.a.ip("route add 192.0.2.0/24 dev eth0", "route add fd55::/64 dev eth0")
    assert with_ways(both, own) == frozenset(both)
    hosts.a.ip("route del 192.0.2.7/32 dev own", "route del fd55::7/128 dev own")
    assert with_ways(both, own) == frozenset(both)
    assert with_ways([], own) == frozenset()
