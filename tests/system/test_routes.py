"""Routes by the thousand, and the kernel's answers about them."""

from __future__ import annotations

from contextlib import closing
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from alagg.system import HostError, netlink, routes
from alagg.system.routes import Route

if TYPE_CHECKING:
    from .conftest import Hosts

pytestmark = pytest.mark.netns


def index_of(name: str) -> int:
    found = netlink.interface(name)
    assert found
    return found.index


@pytest.mark.parametrize("destination", ["10.99.0.2/32", "10.99.0.0/24", "fd99::2/128", "fd99::/64"])
def test_a_new_route_comes_before_the_old_one_and_leaves_it_there(hosts: Hosts, destination: str) -> None:
    network = ip_network(destination)
    inet = "-6" if network.version == 6 else "-4"
    via = "fd98::2" if network.version == 6 else "10.98.0.2"
    metric = "metric 1024" if network.version == 6 else ""
    if network.num_addresses == 1:
        hosts.a.ip(f"route add {destination} via {via} {metric}")
    other = netlink.interface("eth1")
    assert other
    before = hosts.a.run(["ip", inet, "route"]).stdout
    target = network[0] if network.num_addresses == 1 else network[2]
    route = Route(network, netlink.source_address(ip_address(via)), mtu=1300)
    routes.add(other.index, [route])
    routes.add(other.index, [route])
    found = netlink.path(target)
    assert found
    assert (found.index, found.source, found.gateway) == (other.index, route.source, False)
    routes.replace(other.index, [Route(network, None)])
    routes.delete(other.index, [Route(network, None)])
    routes.delete(other.index, [route])
    assert hosts.a.run(["ip", inet, "route"]).stdout == before


def test_a_refusal_is_one_line_with_its_reason(hosts: Hosts) -> None:
    with pytest.raises(HostError, match=r"^route to 10\.1\.2\.3/32: "):
        routes.add(9999, [Route(ip_network("10.1.2.3"), None)])


def test_a_thousand_are_there_at_once_and_gone_at_once(hosts: Hosts) -> None:
    index = index_of("eth1")
    before = routes.present(index)
    many = [Route(ip_network((f"10.{one >> 8}.{one & 255}.0", 24)), ip_address("10.98.0.1")) for one in range(1000)]
    many += [Route(ip_network((f"fd01:{one:x}::", 32)), ip_address("fd98::1"), 1266) for one in range(100)]
    routes.add(index, many)
    there = routes.present(index)
    assert [there[one.destination] for one in many] == many
    routes.delete(index, many)
    routes.delete(index, many)
    assert routes.present(index) == before


def test_one_that_is_refused_does_not_keep_the_others_out(hosts: Hosts) -> None:
    index = index_of("eth1")
    good = Route(ip_network("192.0.2.0/24"), None)
    with pytest.raises(HostError, match=r"^route to 198\.51\.100\.0/24: "):
        routes.add(index, [Route(ip_network("198.51.100.0/24"), ip_address("203.0.113.9")), good])
    assert routes.present(index)[good.destination] == good


@pytest.mark.parametrize(
    ("target", "destination", "source"),
    [("10.99.0.77", "10.99.0.0/24", "10.99.0.1"), ("fd99::77", "fd99::/64", "fd99::1")],
)
def test_questions_are_answered_by_the_kernel(hosts: Hosts, target: str, destination: str, source: str) -> None:
    with closing(routes.Questions()) as questions:
        found = questions.match(ip_address(target))
        assert found
        assert (found.destination, found.interface) == (ip_network(destination), index_of("eth0"))
        assert questions.source(ip_address(target)) == ip_address(source)
        assert questions.match(ip_address(target), index_of("eth1")) is None
        own = questions.match(ip_address(source))
        assert own
        assert own.kind == routes.LOCAL
