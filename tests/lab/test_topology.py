"""The lab as a whole: what it builds, what it writes for the nodes, and that nothing of it stays."""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
from pathlib import Path

import pytest

from alagg import config
from alagg.lab.namespace import environment, python
from alagg.lab.topology import Lab

netns = pytest.mark.netns


def traces() -> set[str]:
    """Everything on this host that a lab of this process or its children could have left."""
    namespaces = {path.name for path in Path("/run/netns").glob("alagg-*")}
    directories = {path.name for path in Path("/tmp").glob("alagg-*-*")}
    return namespaces | directories


@netns
def test_nothing_stays_behind() -> None:
    before = traces()
    with Lab(links=3, emulated=True, lans=True) as lab:
        assert len([name for name in traces() - before if name.startswith(lab.directory.name)]) == 6
        processes = [wire._process for wire in lab.wire]  # type: ignore[attr-defined]
    assert not [name for name in traces() if name.startswith(lab.directory.name)]
    assert all(process.poll() is not None for process in processes)


@netns
def test_nothing_stays_behind_after_an_error() -> None:
    lab = Lab()
    with pytest.raises(ZeroDivisionError), lab:
        raise ZeroDivisionError
    assert not [name for name in traces() if name.startswith(lab.directory.name)]


@netns
def test_nothing_stays_behind_when_building_fails() -> None:
    lab = Lab(links=2, emulated=True)
    lab.wire[1].interface = "a/name/that/no/interface/takes"
    with pytest.raises(Exception, match="name"):
        lab.__enter__()
    assert not [name for name in traces() if name.startswith(lab.directory.name)]


@netns
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_nothing_stays_behind_after_a_signal(number: signal.Signals) -> None:
    with subprocess.Popen(
        python("alagg", "lab", "up", "--emulated", "--without"), env=environment(), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        while b"status" not in (line := process.stdout.readline()) and b"link set" not in line:
            assert line
        assert [name for name in traces() if f"-{process.pid}-" in name]
        process.send_signal(number)
        process.communicate(timeout=20)
    assert not [name for name in traces() if f"-{process.pid}-" in name]


@netns
def test_the_next_lab_removes_what_a_killed_one_left() -> None:
    with subprocess.Popen(
        python("alagg", "lab", "up", "--without"), env=environment(), stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        while b"link set" not in (line := process.stdout.readline()):
            assert line
        process.kill()
    left = [name for name in traces() if f"-{process.pid}-" in name]
    assert left
    with Lab(links=1):
        assert not [name for name in traces() if f"-{process.pid}-" in name]


@netns
def test_two_labs_live_side_by_side() -> None:
    with Lab(links=1) as one, Lab(links=1) as two:
        assert {host.name for host in one.hosts}.isdisjoint(host.name for host in two.hosts)
        for lab in (one, two):
            assert lab.a.ping(lab.b, count=3).lost == 0


@netns
def test_the_handler_of_sigterm_is_the_labs_only_while_it_stands() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Lab(links=1):
        assert callable(signal.getsignal(signal.SIGTERM))
    assert signal.getsignal(signal.SIGTERM) is before


@netns
def test_lans_reach_each_other_through_the_gateways() -> None:
    with Lab(links=2, lans=True) as lab:
        for family in (4, 6):
            assert lab.lan_a.ping(lab.lan_b, count=5, family=family).lost == 0
            assert lab.lan_b.ping(lab.a, count=5, family=family).lost == 0


def test_a_lab_is_emulated_or_direct() -> None:
    with pytest.raises(ValueError, match="not both"):
        Lab(emulated=True, direct=True)


@pytest.mark.parametrize("lans", [False, True])
def test_the_nodes_configurations_are_valid_and_mirror_each_other(tmp_path: Path, lans: bool) -> None:  # noqa: FBT001
    lab = Lab(links=3, lans=lans)
    lab.directory = tmp_path
    for host in lab.hosts:
        host.node.config = tmp_path / f"{host.letter}.cfg"
    lab.configure({"queue": 7})
    for host, peer in (lab.hosts, lab.hosts[::-1]):
        read = config.load(host.node.config)
        assert read.queue == 7
        assert read.control_socket == host.node.socket
        assert ipaddress.ip_network(peer.ipv6) in read.peers[0].destinations
        assert [link.interface for link in read.links] == ["eth0", "eth1", "eth2"]
        assert [link.mac.hex(":") for link in read.links] == [peer.mac(number) for number in range(3)]
        assert bool(read.networks) is lans
        assert ("FORWARD" in read.chains) is lans


def test_names_carry_the_process_so_that_runs_do_not_collide() -> None:
    lab = Lab()
    assert all(f"alagg-{os.getpid()}-" in host.name for host in lab.hosts)
