"""Several peers at one node: each reaches the others through it, and nothing goes round.

    b [eth0] ---- [eth0] hub [eth1] ---- [eth1] c
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab.host import Host
from alagg.lab.wire import LinkSpec, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alagg.lab.measure import Family

pytestmark = [pytest.mark.netns, pytest.mark.beside]

NOBODY: Final = "10.99.0.200"
"""An address that b and c believe to be behind the hub, and the hub behind b."""
ROUTER: Final = ("chains = OUTPUT, FORWARD", "networks = 10.99.0.0/24, fd99::/64")


class Star:
    """The three hosts, with a node on each."""

    def __init__(self, directory: Path) -> None:
        self.hub, self.b, self.c = (
            Host(
                f"alagg-{os.getpid()}-{name}", letter=name[0], ipv4=f"10.99.0.{number}", ipv6=f"fd99::{number}",
                config=directory / f"{name}.cfg",
            )
            for number, name in enumerate(("hub", "b", "c"), 1)
        )  # fmt: skip
        self.hosts = self.hub, self.b, self.c

    def start(self) -> None:
        for number, spoke in enumerate((self.b, self.c)):
            spoke.addresses[f"eth{number}"] = [f"{spoke.ipv4}/24", f"{spoke.ipv6}/64"]
            Wire(number, LinkSpec(), (self.hub, spoke)).create()
        self.hub.sysctl({"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1})
        self.configure(self.hub, *ROUTER, b=(self.b, 0, self.b, NOBODY), c=(self.c, 1, self.c))
        self.configure(self.b, *ROUTER, hub=(self.hub, 0, self.hub, self.c, NOBODY))
        self.configure(self.c, hub=(self.hub, 1, self.hub, self.b, NOBODY))
        for host in self.hosts:
            host.node.start()
        for host in self.hosts:
            host.node.wait_status(lambda status: all(link["state"] == "up" for link in status["links"]))

    def configure(self, host: Host, *options: str, **peers: tuple[Host | int | str, ...]) -> None:
        """Write a configuration; of each peer: the host, its link's number, and what is reached there."""
        lines = ["[alagg]", f"control_socket = {host.node.socket}", *options]
        for name, (peer, number, *reached) in peers.items():
            assert isinstance(peer, Host)
            assert isinstance(number, int)
            addresses = [f"{one.ipv4}, {one.ipv6}" if isinstance(one, Host) else one for one in reached]
            lines += [f"[peer {name}]", f"destinations = {', '.join(map(str, addresses))}"]
            lines += [f"[link {name}]", f"peer = {name}", f"interface = eth{number}", f"mac = {peer.mac(number)}"]
        host.node.config.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def star(tmp_path: Path) -> Iterator[Star]:
    made = Star(tmp_path)
    try:
        for host in made.hosts:
            host.create()
        made.hub.addresses["eth0"] = [f"{made.hub.ipv4}/24", f"{made.hub.ipv6}/64"]
        made.start()
        yield made
        for host in made.hosts:
            host.node.stop()
    finally:
        for host in made.hosts:
            host.remove()


@pytest.mark.parametrize("family", [4, 6])
def test_peers_reach_each_other_through_the_hub(star: Star, family: Family) -> None:
    assert star.b.ping(star.hub, count=20, family=family).received == 20
    assert star.b.ping(star.c, count=20, family=family).received == 20
    done = star.b.transfer(star.c, size=20_000_000, family=family)
    assert done.intact
    (said,) = re.findall(r"ttl=(\d+)", star.b.run(["ping", "-c", "1", star.c.address(family)]).stdout)
    assert said == "63"  # the hub is a router
    pings = star.b.run(["ping", "-c", "20", "-i", "0.02", star.c.address(family)]).stdout
    assert "edirect" not in pings  # it forwards through one device, and there is no shorter way
    counters = star.hub.node.status()["injector"]
    assert not [name for name, count in counters.items() if name.startswith("dropped") and count]


def test_packet_that_each_side_sends_back_does_not_go_round(star: Star) -> None:
    star.b.sysctl({"net.ipv4.ip_forward": 1})
    star.c.ping(star.hub, count=1)
    star.c.run(["ping", "-c", "5", "-i", "0.1", "-W", "1", NOBODY], check=False)
    peers = {peer["name"]: peer for peer in star.hub.node.status()["peers"]}
    assert peers["b"]["tx"]["sent"] == 5
    assert peers["b"]["rx"]["refused_foreign_source"] == 5  # what comes from c cannot come from b
    assert star.b.ping(star.hub, count=20).received == 20
