"""The whole host: everything set up, followed, taken back; after a crash, too, and with two nodes side by side."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from alagg.lab.namespace import environment
from alagg.system import HostError, netlink, rules, tables
from alagg.system.host import Host, inner_mtu
from alagg.system.journal import Journal

from .conftest import Hosts, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alagg.config import Config

    MakeConfig = Callable[..., Config]
    Start = Callable[..., Host]

B4, B6 = ip_address("10.99.0.2"), ip_address("fd99::2")

NODE = """
import sys, time
from pathlib import Path
from alagg.config import load
from alagg.system.host import Host
from alagg.system.journal import Journal
config = load(Path(sys.argv[1]))
host = Host(config, Journal(config.journal))
for line in host.set_up():
    print(line)
print("ready", flush=True)
time.sleep(60)
"""


@pytest.fixture
def start(hosts: Hosts) -> Iterator[Start]:
    """Give a function that sets up a host; each is taken down in the end."""
    started: list[Host] = []

    def set_up(config: Config) -> Host:
        host = Host(config, Journal(config.journal))
        started.append(host)
        host.set_up()
        return host

    yield set_up
    for host in reversed(started):
        host.tear_down()


def device() -> netlink.Interface:
    found = netlink.interface("alagg0")
    assert found
    return found


def through(address: str) -> str:
    """Give the interface that packets to an address leave by."""
    found = netlink.path(ip_address(address))
    assert found
    return next(one.name for one in netlink.interfaces() if one.index == found.index)


@pytest.mark.netns
def test_sets_up_and_leaves_no_trace(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config(chains="OUTPUT, FORWARD", link="rate = 75mbit\npacing = tbf")
    before = snapshot(hosts.a)
    host = Host(config, Journal(config.journal))
    assert host.set_up() == []
    assert (through("10.99.0.2"), through("fd99::2")) == ("alagg0", "alagg0")
    assert netlink.source_address(B4) == ip_address("10.99.0.1")
    assert netlink.source_address(B6) == ip_address("fd99::1")
    assert device().mtu == 1476
    assert rules.missing(config) == []
    assert "tbf" in hosts.a.run(["tc", "qdisc"]).stdout
    assert len(host.tear_down()) == len(rules.wanted_rules(config)) + 1
    assert snapshot(hosts.a) == before
    assert host.tear_down() == []
    assert not config.journal.exists()


@pytest.mark.netns
@pytest.mark.parametrize("mend", ["cleanup", "start"])
def test_sigkill_leaves_nothing_that_is_not_undone(hosts: Hosts, make_config: MakeConfig, mend: str) -> None:
    config = make_config(chains="OUTPUT, FORWARD", link="rate = 75mbit\npacing = tbf")
    before = snapshot(hosts.a)
    node = subprocess.Popen(
        [sys.executable, "-c", NODE, str(config.path)], stdout=subprocess.PIPE, text=True, env=environment()
    )
    assert node.stdout
    assert node.stdout.readline() == "ready\n"
    os.kill(node.pid, signal.SIGKILL)
    node.communicate()
    assert snapshot(hosts.a) != before
    if mend == "cleanup":
        assert len(Journal(config.journal).undo()) == len(rules.wanted_rules(config)) + 1
    else:
        host = Host(config, Journal(config.journal))
        assert len(host.set_up()) == len(rules.wanted_rules(config)) + 1
        assert rules.missing(config) == []
        host.tear_down()
    assert snapshot(hosts.a) == before


@pytest.mark.netns
def test_two_nodes_survive_each_other(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    start(make_config("first"))
    alone = snapshot(hosts.a)
    second = start(make_config(
        "second", peer="destinations = 10.98.0.2, fd98::2", queue=2, device="alagg1", mark="0x2",
        link="rate = 9mbit\npacing = tbf",
    ))  # fmt: skip
    assert (through("10.99.0.2"), through("10.98.0.2")) == ("alagg0", "alagg1")
    second.tear_down()
    assert snapshot(hosts.a) == alone


@pytest.mark.netns
def test_changes_nothing_without_manage_host(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    before = snapshot(hosts.a)
    host = start(make_config(manage_host="no", link="rate = 75mbit\npacing = tbf"))
    host.update()
    host.reload(make_config(manage_host="no", queue=3))
    assert snapshot(hosts.a) == before


@pytest.mark.netns
def test_a_failure_on_the_way_is_one_line_and_leaves_no_trace(hosts: Hosts, make_config: MakeConfig) -> None:
    hosts.a.tc("qdisc add dev eth1 root pfifo limit 7")
    before = snapshot(hosts.a)
    config = make_config(link="rate = 75mbit\npacing = tbf")
    with pytest.raises(HostError, match="eth1 has a queueing discipline"):
        Host(config, Journal(config.journal)).set_up()
    assert snapshot(hosts.a) == before


@pytest.mark.netns
def test_refuses_its_own_address_as_a_destination(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config(peer="destinations = 10.98.0.1")
    with pytest.raises(HostError, match=r"\[peer b\] destinations: 10.98.0.1 is an address of this host itself"):
        Host(config, Journal(config.journal)).set_up()


@pytest.mark.netns
def test_follows_the_smallest_mtu(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    config = make_config()
    host = start(config)
    for mtu, inner in ((9000, 1476), (1400, 1376), (1290, 1280), (1500, 1476)):
        hosts.a.ip(f"link set eth1 mtu {mtu}")
        host.update()
        assert device().mtu == inner
    hosts.a.ip("link set eth1 mtu 1290")
    host.update()
    assert inner_mtu(config) == 1266
    assert "mtu 1266" in hosts.a.run(["ip", "route", "show", "dev", "alagg0"]).stdout
    hosts.a.ip("link del eth1")
    host.update()
    assert device().mtu == 1476


@pytest.mark.netns
def test_shapes_a_card_that_comes_back(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    host = start(make_config(link="rate = 75mbit\npacing = tbf"))
    hosts.a.ip("link del eth1")
    host.update()
    hosts.plug(1)
    host.update()
    assert "tbf" in hosts.a.run(["tc", "qdisc", "show", "dev", "eth1"]).stdout


@pytest.mark.netns
def test_finds_the_source_address_of_a_link_that_is_down(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    """Not the one that goes with a default route."""
    hosts.a.ip("route add default via 10.98.0.2", "link set eth0 down")
    start(make_config(peer="destinations = 10.99.0.2"))
    assert netlink.source_address(B4) == ip_address("10.99.0.1")


@pytest.mark.netns
def test_brings_a_source_address_when_there_is_one(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    hosts.a.ip("address flush dev eth0")
    host = start(make_config())
    assert "10.99.0.1" not in hosts.a.run(["ip", "address", "show", "alagg0"]).stdout
    hosts.a.ip("address add 10.99.0.1/24 dev eth0", "address add fd99::1/64 dev eth0 nodad")
    host.update()
    assert netlink.source_address(B4) == ip_address("10.99.0.1")
    assert netlink.source_address(B6) == ip_address("fd99::1")
    assert "10.99.0.1/32" in hosts.a.run(["ip", "address", "show", "alagg0"]).stdout


@pytest.mark.netns
def test_takes_the_configured_addresses(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    start(make_config(addresses="10.50.0.1, fd50::1"))
    assert netlink.source_address(B4) == ip_address("10.50.0.1")
    assert netlink.source_address(B6) == ip_address("fd50::1")
    assert {ip_address("10.50.0.1"), ip_address("fd50::1")} <= netlink.local_addresses()


@pytest.mark.netns
def test_leaves_the_networks_of_the_host_alone(
    hosts: Hosts, make_config: MakeConfig, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Those that a destination contains by their more specific routes, and one that is the same by having none."""
    host = start(make_config(peer="destinations = 10.0.0.0/8, fd00::/8, 10.99.0.0/24, fd99::/64, 10.97.0.0/24"))
    assert (through("10.99.0.77"), through("fd99::77"), through("10.98.0.77")) == ("eth0", "eth0", "eth1")
    assert (through("10.97.0.7"), through("10.1.2.3"), through("fd01::3")) == ("alagg0",) * 3
    assert len([line for line in caplog.messages if "is a network of this host" in line]) == 2
    hosts.a.ip("address add 10.97.0.1/24 dev eth1")
    host.update()
    assert through("10.97.0.7") == "eth1"
    assert len([line for line in caplog.messages if "10.97.0.0/24 is a network of this host" in line]) == 1
    hosts.a.ip("address del 10.97.0.1/24 dev eth1")
    host.update()
    assert through("10.97.0.7") == "alagg0"


@pytest.mark.netns
def test_a_destination_of_everything_leaves_the_host_its_own(
    hosts: Hosts, make_config: MakeConfig, start: Start
) -> None:
    hosts.a.ip("route add default via 10.98.0.2", "route add default via fd98::2")
    start(make_config(peer="destinations = 0.0.0.0/1, 128.0.0.0/1, ::/1, 8000::/1"))
    assert (through("10.99.0.2"), through("fd99::2"), through("192.0.2.1")) == ("eth0", "eth0", "alagg0")
    assert netlink.source_address(ip_address("192.0.2.1")) == ip_address("10.98.0.1")
    assert netlink.source_address(ip_address("2001:db8::1")) == ip_address("fd98::1")


@pytest.mark.netns
def test_reload_removes_before_the_workers_hear_of_it_and_adds_after(
    hosts: Hosts, make_config: MakeConfig, start: Start
) -> None:
    old = make_config("node")
    host = start(old)
    new = make_config("node", peer="destinations = 10.98.0.2, fd99::2", link="rate = 75mbit\npacing = tbf", queue=4)
    seen: list[tuple[str, str, str]] = []

    def look() -> None:
        seen.append((through("10.99.0.2"), through("10.98.0.2"), through("fd99::2")))

    host.reload(new, look)
    look()
    assert seen == [("eth0", "eth1", "alagg0"), ("eth0", "alagg0", "alagg0")]
    assert rules.missing(new) == []
    host.reload(old)
    look()
    assert seen[-1] == ("alagg0", "eth1", "alagg0")
    assert rules.missing(old) == []


@pytest.mark.netns
def test_withdrawn_it_takes_nothing_and_still_lets_in(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    host = start(make_config(link="rate = 75mbit\npacing = tbf"))
    assert len(host.withdraw()) == 5
    assert (through("10.99.0.2"), through("fd99::2")) == ("eth0", "eth0")
    assert device().up
    assert "NFQUEUE" not in hosts.a.run(["iptables-legacy", "-S"]).stdout


@pytest.mark.netns
def test_reload_there_and_back_leaves_no_trace(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    rate = "rate = 75mbit\npacing = tbf"
    other = make_config("node", peer="destinations = 10.98.0.2", link=rate, queue=4, chains="FORWARD")
    wanted = make_config("node")
    host = start(wanted)
    fresh = snapshot(hosts.a)
    host.reload(other)
    assert snapshot(hosts.a) != fresh
    host.reload(make_config("node"))
    assert snapshot(hosts.a) == fresh


@pytest.mark.netns
def test_a_reload_that_fails_changes_nothing(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    hosts.a.tc("qdisc add dev eth1 root pfifo limit 7")
    host = start(make_config("node"))
    before = snapshot(hosts.a)
    with pytest.raises(HostError, match="eth1 has a queueing discipline"):
        host.reload(make_config("node", peer="destinations = 10.98.0.2", link="rate = 75mbit\npacing = tbf"))
    assert snapshot(hosts.a) == before
    for change in ({"device": "alagg7"}, {"mark": "0x5"}):
        with pytest.raises(HostError, match="cannot change while the node runs; restart it"):
            host.reload(make_config("node", **change))
    assert snapshot(hosts.a) == before


@pytest.mark.netns
def test_reload_switches_manage_host(hosts: Hosts, make_config: MakeConfig, start: Start) -> None:
    before = snapshot(hosts.a)
    host = start(make_config("node", link="rate = 75mbit\npacing = tbf"))
    host.reload(make_config("node", manage_host="no"))
    assert snapshot(hosts.a) == before
    host.reload(make_config("node"))
    assert through("10.99.0.2") == "alagg0"


def _rules(hosts: Hosts) -> str:
    return hosts.a.run(["sh", "-c", "iptables-legacy-save; ip6tables-legacy-save"]).stdout


@pytest.mark.netns
@pytest.mark.parametrize("refused", [(4, 6), (6,)])
def test_goes_on_without_rules_where_the_device_captures_too(
    hosts: Hosts, make_config: MakeConfig, start: Start, monkeypatch: pytest.MonkeyPatch, refused: tuple[int, ...]
) -> None:
    before = snapshot(hosts.a)
    table = tables._table

    def missing(family: rules.Family, name: str) -> object:
        if family in refused:
            raise HostError("this kernel has no such table")
        return table(family, name)

    with monkeypatch.context() as patched:
        patched.setattr(tables, "_table", missing)
        host = start(make_config())
        assert host.without_rules == "this kernel has no such table"
        host.check()
        assert "NFQUEUE" not in _rules(hosts)
        assert through("10.99.0.2") == "alagg0"
        assert host.tear_down() == []
        assert snapshot(hosts.a) == before
        with pytest.raises(HostError, match="no such table"):
            start(make_config(capture="nfqueue"))
        assert snapshot(hosts.a) == before
    host = start(make_config())
    assert host.without_rules == ""
    assert rules.missing(make_config()) == []
