"""Links come and go under traffic while the nodes run, by a reload or with their interface: no ping is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg.config import load
from alagg.control.client import request
from alagg.lab import measure
from alagg.lab.topology import Lab
from tests.netns.conftest import running, say
from tests.netns.test_traffic import assert_pings_cross, directions

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.lab.host import Host

pytestmark = pytest.mark.netns


def has_links(count: int) -> Callable[[dict[str, Any]], bool]:
    return lambda status: len(status["links"]) == count


def without_link(text: str, name: str) -> str:
    head, _, tail = text.partition(f"[link {name}]")
    _, mark, rest = tail.partition("[link ")
    return head + mark + rest


def test_defect_10_reload_adds_and_removes_links_and_no_ping_is_lost() -> None:
    """The 2015 program had neither reload nor statistics."""
    with running(Lab(links=2)) as lab:
        both = {host.letter: host.node.config.read_text() for host in lab.hosts}
        flows = [measure.ping(source, target, count=1000, interval=0.01, family=family)
                 for source, target, family in directions(lab.a, lab.b)]
        for name in ("eth1", "eth0"):
            for text, links in ((without_link, 1), (lambda text, _: text, 2)):
                for host in lab.hosts:
                    host.node.config.write_text(text(both[host.letter], name))
                    host.node.reload()
                for host in lab.hosts:
                    host.node.wait_status(has_links(links))
                lab.await_links()
        assert any(flow.flowing for flow in flows), "the links changed while pings were under way"
        for flow in flows:
            result = flow.result()
            say(result)
            assert (result.lost, result.duplicated) == (0, 0)
        for host in lab.hosts:
            assert host.node.status()["peers"][0]["rx"]["resets"] == 0


def test_defect_10_interface_that_was_missing_at_the_start_joins_in() -> None:
    with Lab(links=2) as lab:
        lab.wire[1].delete_device(lab.b)
        lab.start_nodes()
        assert_pings_cross(lab.a, lab.b)
        (link,) = [link for link in lab.b.node.status()["links"] if link["name"] == "eth1"]
        assert (link["state"], link["reason"]) == ("down", "the interface does not exist")
        flow = measure.ping(lab.a, lab.b, count=400, interval=0.005)
        lab.wire[1].create_device(lab.b)
        lab.await_links()
        result = flow.result()
        say(result)
        assert (result.lost, result.duplicated) == (0, 0)
        lab.stop_nodes()


def test_a_link_is_blocked_and_used_again_and_no_ping_is_lost() -> None:
    with running(Lab(links=2)) as lab:
        flows = [measure.ping(source, target, count=1000, interval=0.005, family=family)
                 for source, target, family in directions(lab.a, lab.b)]
        assert lab.a.node.command("link", "block", "eth0").stdout == "link eth0 to b is blocked\n"
        lab.a.node.reload()
        lab.a.node.wait_status(lambda status: states(status) == {"eth0": "blocked", "eth1": "up"})
        lab.b.node.wait_status(lambda status: states(status) == {"eth0": "silent", "eth1": "up"})
        sent = lab.a.node.status()["links"][0]["tx_frames"]
        assert lab.a.node.command("link", "unblock", "eth0").returncode == 0
        lab.await_links()
        assert any(flow.flowing for flow in flows), "the link changed while pings were under way"
        for flow in flows:
            result = flow.result()
            say(result)
            assert (result.lost, result.duplicated) == (0, 0)
        assert lab.a.node.status()["links"][0]["tx_frames"] > sent


def test_a_link_is_added_set_and_removed_and_no_ping_is_lost() -> None:
    """On one side after the other. The file has what is saved, and a reload returns to it."""
    with running(Lab(links=2)) as lab:
        texts = {host.letter: load(host.node.config).texts for host in lab.hosts}
        flows = [measure.ping(source, target, count=1000, interval=0.005, family=family)
                 for source, target, family in directions(lab.a, lab.b)]
        for host in lab.hosts:
            steer(host, do="remove", link="eth1")
        assert lab.b.node.command("link", "remove", "eth0").returncode == 2, "a peer keeps a link"
        for host in lab.hosts:
            steer(host, do="add", link="eth1", values=texts[host.letter]["link eth1"])
        lab.await_links()
        steer(lab.a, do="set", link="eth1", values={"rate": "100mbit", "weight": "3"})
        steer(lab.b, do="remove", link="eth0")
        lab.a.node.wait_status(lambda status: states(status) == {"eth0": "silent", "eth1": "up"})
        lab.b.node.reload()
        lab.await_links()
        assert any(flow.flowing for flow in flows), "the links changed while pings were under way"
        saved = lab.a.node.command("link", "set", "eth1", "weight=2", "--save")
        assert saved.stdout.splitlines()[-1] == f"saved: {lab.a.node.config}"
        shown = {one["name"]: one for one in lab.a.node.status()["links"]}
        assert shown["eth1"]["rate_bps"] == 100_000_000
        assert load(lab.a.node.config).texts["link eth1"] == {
            **texts["a"]["link eth1"], "rate": "100mbit", "weight": "2",
        }  # fmt: skip
        for flow in flows:
            result = flow.result()
            say(result)
            assert (result.lost, result.duplicated) == (0, 0)
        for mac in ("02:00:00:00:00:99", lab.b.mac(1)):
            steer(lab.a, do="set", link="eth1", values={"mac": mac})
        lab.await_links("up", "wary")


def test_a_backup_carries_only_while_the_other_link_cannot_and_no_ping_is_lost() -> None:
    rest, carry = {"eth0": "up", "eth1": "standby"}, {"eth0": "silent", "eth1": "up"}
    with running(Lab(links=2)) as lab:
        for host in lab.hosts:
            steer(host, do="set", link="eth1", values={"backup": "yes"})
        for host in lab.hosts:
            host.node.wait_status(lambda status: states(status) == rest)
        flows = [measure.ping(source, target, count=800, interval=0.005, family=family)
                 for source, target, family in directions(lab.a, lab.b)]
        steer(lab.a, do="block", link="eth0")
        lab.b.node.wait_status(lambda status: states(status) == carry)
        steer(lab.a, do="unblock", link="eth0")
        for host in lab.hosts:
            host.node.wait_status(lambda status: states(status) == rest)
        for flow in flows:
            result = flow.result()
            say(result)
            assert (result.lost, result.duplicated) == (0, 0)


def steer(host: Host, **wish: object) -> None:
    assert request(host.node.socket, f"link {json.dumps(wish)}")["ok"]


def states(status: dict[str, Any]) -> dict[str, str]:
    return {link["name"]: link["state"] for link in status["links"]}
