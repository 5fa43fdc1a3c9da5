"""`alagg init` as a newcomer runs it: on both hosts at the same time, then the nodes by what it wrote."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from alagg.lab.host import Host

pytestmark = [pytest.mark.netns, pytest.mark.beside]


def state(host: Host) -> str:
    """Give what a host's network is like."""
    lines = [host.run(["ip", *what]).stdout for what in (["link"], ["address"], ["route"], ["-6", "route"])]
    return "".join(lines)


def begin(host: Host, *flags: str) -> subprocess.Popen[bytes]:
    line = host.node.program(
        "init", "--yes", "--config", str(host.node.config), "--socket", str(host.node.socket), "--name", host.letter,
        *flags,
    )  # fmt: skip
    return host.popen(line, stderr=subprocess.STDOUT)


def test_two_newcomers_find_each_other_and_their_traffic_passes() -> None:
    with Lab(2) as lab:
        before = [state(host) for host in lab.hosts]
        running = [begin(lab.a), begin(lab.b, "--interface", "eth1", "--interface", "eth0", "--address", lab.b.ipv4,
                                       "--address", lab.b.ipv6)]  # fmt: skip
        said = [one.communicate(timeout=60)[0].decode() for one in running]
        assert [one.returncode for one in running] == [0, 0], said
        assert [state(host) for host in lab.hosts] == before
        ways = "eth0 to eth0 02:00:00:00:62:00, eth1 to eth1 02:00:00:00:62:01"
        assert f"Found b (10.99.0.2, fd99::2): {ways}" in " ".join(said[0].split())
        assert "ready" in said[0].splitlines()[-1]
        for_b = lab.a.node.config.with_name("a-for-b.cfg").read_text().replace(str(lab.a.node.socket), "")
        own = lab.b.node.config.read_text().replace(str(lab.b.node.socket), "")
        assert sorted(for_b.splitlines()) == sorted(own.splitlines())
        lab.begin_nodes()
        lab.await_links(timeout=30)
        for family in (4, 6):
            result = lab.a.ping(lab.b, count=20, family=family)
            assert (result.received, result.duplicated) == (20, 0)
        lab.stop_nodes()


def test_newcomer_finds_a_node_that_looks_for_it() -> None:
    with Lab(1) as lab:
        lab.configure()
        text = lab.a.node.config.read_text().replace(lab.b.mac(0), "auto")
        lab.a.node.config.write_text(text)
        lab.b.node.config.unlink()
        lab.a.node.start()
        one = begin(lab.b, "--peer", "a")
        said = one.communicate(timeout=60)[0].decode()
        assert one.returncode == 0, said
        assert "Found a running node (10.99.0.1" in said
        lab.b.node.start()
        lab.await_links(timeout=30)
        lab.stop_nodes()
