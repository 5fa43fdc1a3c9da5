"""Two hosts in network namespaces, joined by two cables, and a picture of all that a node could change there."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from pyroute2 import netns

from alagg.config import Config, load
from alagg.lab.namespace import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SNAPSHOT = """
for command in iptables-legacy-save ip6tables-legacy-save; do
    $command -t filter; $command -t mangle
done | grep -v '^#'
ip address; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule
ip link; ip -d link show type tun
tc qdisc
sysctl -a 2>/dev/null | grep '^net[.]' | grep -v nf_conntrack_count
"""


@dataclass
class Hosts:
    """
    a [eth0] 10.99.0.1/24 fd99::1/64 ---- 10.99.0.2/24 fd99::2/64 [eth0] b
    a [eth1] 10.98.0.1/24 fd98::1/64 ---- 10.98.0.2/24 fd98::2/64 [eth1] b
    """

    a: Namespace
    b: Namespace

    def plug(self, number: int) -> None:
        """Make one of the cables, with its addresses; MAC addresses end in 0a:NUMBER and 0b:NUMBER."""
        self.a.ip(f"link add eth{number} type veth peer name eth{number} netns {self.b.name}")
        for host, namespace in (("a", self.a), ("b", self.b)):
            last = {"a": 1, "b": 2}[host]
            namespace.ip(
                f"link set eth{number} address 02:00:00:00:0{host}:0{number} up",
                f"address add 10.{99 - number}.0.{last}/24 dev eth{number}",
                f"address add fd{99 - number}::{last}/64 dev eth{number} nodad",
            )


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    made = Hosts(Namespace(f"alagg-{os.getpid()}-a"), Namespace(f"alagg-{os.getpid()}-b"))
    try:
        for namespace in (made.a, made.b):
            namespace.create()
        for number in (0, 1):
            made.plug(number)
        with inside(made.a):
            yield made
    finally:
        made.a.remove()
        made.b.remove()


@contextmanager
def inside(namespace: Namespace) -> Iterator[None]:
    """Let this process work in a namespace."""
    netns.pushns(namespace.name)
    try:
        yield
    finally:
        netns.popns()


def snapshot(namespace: Namespace) -> list[str]:
    """Give everything that a node could change, without the packet counters of chains."""
    text = namespace.run(["sh", "-c", SNAPSHOT]).stdout
    return re.sub(r"\[\d+:\d+\]", "", text).splitlines()


@pytest.fixture
def make_config(tmp_path: Path) -> Callable[..., Config]:
    """Give a function that makes a configuration for host a: options of [alagg], of the peer, and of link eth1."""

    def make(name: str = "alagg", peer: str = "", link: str = "", **options: object) -> Config:
        lines = "\n".join(f"{key} = {value}" for key, value in options.items())
        peer = peer or "destinations = 10.99.0.2, fd99::2"
        path = tmp_path / f"{name}.cfg"
        path.write_text(
            f"[alagg]\ncontrol_socket = {tmp_path}/{name}.sock\n{lines}\n[peer b]\n{peer}\n"
            "[link zero]\ninterface = eth0\nmac = 02:00:00:00:0b:00\n"
            f"[link one]\ninterface = eth1\nmac = 02:00:00:00:0b:01\n{link}\n"
        )
        return load(path)

    return make
