"""However a node ends, its host is what it was before; and nodes and other people's rules survive each other."""

from __future__ import annotations

import difflib
import os
import signal
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab.node import Node
from alagg.lab.topology import Lab
from tests.netns.conftest import say
from tests.system.conftest import snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.host import Host

pytestmark = [pytest.mark.netns, pytest.mark.beside]

OPTIONS: Final = {"chains": "OUTPUT, FORWARD", "networks": "10.98.1.0/24"}
"""What makes a node change as much as it can: rules in two tables, and with a rate a queueing discipline."""
RATE: Final = "rate = 50mbit\npacing = tbf\n"
SECOND: Final = {"queue": 7, "device": "alagg7", "mark": "0x777", "ethertype": "0x88b6"}
"""What must differ between two nodes on one host, besides their sockets."""
SECOND_ADDRESSES: Final = {"a": "10.96.0.1", "b": "10.96.0.2"}
RULES: Final = 4
"""How many rules each host has of its own."""
PATIENCE: Final = 10.0
"""Seconds in which a node must end."""


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Give two hosts whose nodes do not run yet, with rules, a route and a sysctl of their own."""
    with Lab(links=2) as built:
        for host in built.hosts:
            for command in ("iptables-legacy", "ip6tables-legacy"):
                host.run([command, "-A", "OUTPUT", "-m", "mark", "--mark", "0x5", "-j", "ACCEPT"])
                host.run([command, "-t", "mangle", "-A", "FORWARD", "-j", "ACCEPT"])
            host.sysctl({"net.ipv4.conf.all.rp_filter": 1, "net.ipv4.conf.eth1.rp_filter": 2})
            host.ip("route add 10.97.0.0/16 via 10.99.0.9", "rule add from 10.1.2.3 lookup 100")
        yield built


def test_sigterm_leaves_the_host_as_it_was(lab: Lab) -> None:
    with leaves_no_trace(lab):
        start(lab)
        assert [host.node.stop() for host in lab.hosts] == [0, 0]


def test_sigint_leaves_the_host_as_it_was(lab: Lab) -> None:
    """As Ctrl-C does it: all processes of the node get the signal at once."""
    with leaves_no_trace(lab):
        start(lab)
        for host in lab.hosts:
            os.killpg(host.node.pid, signal.SIGINT)
            wait_end(host.node)
        assert [host.node.stop() for host in lab.hosts] == [0, 0]


def test_cleanup_after_sigkill_leaves_the_host_as_it_was(lab: Lab) -> None:
    with leaves_no_trace(lab):
        start(lab)
        for host in lab.hosts:
            host.node.kill()
            assert len(rules(host)) > RULES, "nothing was left behind, so this proves nothing"
            cleanup(host.node)


def test_start_after_sigkill_undoes_what_another_configuration_left(lab: Lab) -> None:
    with leaves_no_trace(lab):
        start(lab)
        for host in lab.hosts:
            host.node.kill()
        lab.start_nodes()
        assert [host.node.stop() for host in lab.hosts] == [0, 0]


def test_cleanup_of_a_running_node_is_refused(lab: Lab) -> None:
    start(lab)
    running = picture(lab.a)
    refused = lab.a.node.command("cleanup")
    say(refused)
    assert refused.returncode == 1
    assert str(lab.a.node.pid) in refused.stderr
    assert picture(lab.a) == running
    assert lab.a.ping(lab.b, count=10).lost == 0


def test_two_nodes_on_one_host_survive_each_other(lab: Lab) -> None:
    seconds = [second_node(host, peer) for host, peer in (lab.hosts, lab.hosts[::-1])]
    second = seconds[0]
    with leaves_no_trace(lab):
        lab.start_nodes(OPTIONS)
        alone = rules(lab.a)
        for node in seconds:
            node.start()
        assert flows(lab, lab.b.ipv4)
        assert flows(lab, SECOND_ADDRESSES["b"])
        assert carried(lab.a.node), "the first node has carried nothing"
        assert carried(second), "the second node has carried nothing"
        second.kill()
        cleanup(second)
        assert rules(lab.a) == alone, "the cleanup of one node touched the other's rules"
        assert flows(lab, lab.b.ipv4)
        second.start()
        assert lab.a.node.stop() == 0
        assert flows(lab, SECOND_ADDRESSES["b"]), "the end of one node stopped the other"
        assert [node.stop() for node in (lab.b.node, *seconds)] == [0, 0, 0]


def test_a_rule_that_came_while_the_node_ran_stays(lab: Lab) -> None:
    start(lab)
    late = ["OUTPUT", "-d", "10.5.5.5/32", "-j", "DROP"]
    lab.a.run(["iptables-legacy", "-I", *late])
    lab.a.node.stop()
    left = rules(lab.a)
    say(*left)
    assert " ".join(["-A", *late]) in left
    assert len(left) == RULES + 1


# --- helpers ------------------------------------------------------------------------------------------------------


def start(lab: Lab) -> None:
    """Start nodes that change as much as they can, and let them carry something."""
    lab.configure(OPTIONS)
    for host in lab.hosts:
        with host.node.config.open("a", encoding="utf-8") as config:
            config.write(RATE)
        host.node.start()
    lab.await_links()  # one was alone for a while, and may have given the other up
    assert flows(lab, lab.b.ipv4)
    changed = "\n".join(picture(lab.a))
    for trace in ("alagg0", "NFQUEUE", "TCPMSS", "tbf", ".journal"):
        assert trace in changed, f"the node has made no {trace}, so this proves nothing"


def second_node(host: Host, peer: Host) -> Node:
    """Give another node over the same links, with addresses of its own, that does not run yet."""
    node = Node(host, host.node.config.with_name(f"second-{host.letter}.cfg"))
    host.ip(f"address add {SECOND_ADDRESSES[host.letter]}/24 dev eth1")
    lines = ["[alagg]", f"control_socket = {node.socket}", *(f"{key} = {value}" for key, value in SECOND.items())]
    lines += ["[peer b]", f"destinations = {SECOND_ADDRESSES[peer.letter]}"]
    for number in (0, 1):
        lines += [f"[link eth{number}]", f"interface = eth{number}", f"mac = {peer.mac(number)}"]
    node.config.write_text("\n".join(lines), encoding="utf-8")
    return node


@contextmanager
def leaves_no_trace(lab: Lab) -> Iterator[None]:
    """Compare, line by line, all that a node could have changed."""
    before = [picture(host) for host in lab.hosts]
    yield
    for host, was in zip(lab.hosts, before, strict=True):
        traces = list(difflib.unified_diff(was, picture(host), n=0, lineterm=""))
        assert traces == []


def picture(host: Host) -> list[str]:
    """Give rules, addresses, routes, devices, disciplines and parameters of a host, and the files of its nodes."""
    return [*snapshot(host), *rules(host), *sorted(path.name for path in host.node.config.parent.glob("*[lk]"))]


def rules(host: Host) -> list[str]:
    """Give the rules of all tables of the packet filter, of both families and both kinds."""
    commands = [f"ip{family}tables-{kind}-save" for family in ("", "6") for kind in ("legacy", "nft")]
    lines = host.run(["sh", "-ec", "; ".join(commands)]).stdout.splitlines()
    return [line for line in lines if line.startswith("-A")]


def cleanup(node: Node) -> None:
    done = node.command("cleanup")
    say(done)
    assert done.returncode == 0


def wait_end(node: Node) -> None:
    deadline = time.monotonic() + PATIENCE
    while node.running and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not node.running, "the signal has not ended the node"


def flows(lab: Lab, address: str) -> bool:
    """Tell whether pings from a to an address all come back."""
    done = lab.a.run(["fping", "-q", "-c20", "-p10", "-t1000", address], check=False)
    say(done.stderr)
    return "/0%," in done.stderr


def carried(node: Node) -> int:
    """Give how many packets a node has received."""
    return int(node.status()["peers"][0]["rx"]["delivered"])
