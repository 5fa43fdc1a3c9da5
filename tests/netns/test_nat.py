"""NAT on a host with a node: containers behind MASQUERADE work as they do without the node."""

from __future__ import annotations

import sys
from typing import Final

import pytest

from alagg.lab.topology import Lab

pytestmark = [pytest.mark.netns, pytest.mark.beside]


def masquerade(lab: Lab, form: str) -> None:
    """Give what the host behind A sends to others the address of A, as container engines do, by either API."""
    for command in (f"iptables-{form}", f"ip6tables-{form}"):
        lab.a.run([command, "-t", "nat", "-A", "POSTROUTING", "!", "-o", "lan0", "-j", "MASQUERADE"])


def start(lab: Lab, **options: str) -> None:
    """Start nodes that know nothing of the network behind A; an administrator has not thought of it."""
    lab.configure({"networks": "", **options})
    config = lab.b.node.config
    behind = "".join(f", {network}" for network in lab._networks(lab.a))
    text = config.read_text(encoding="utf-8")
    assert behind in text
    config.write_text(text.replace(behind, ""), encoding="utf-8")
    for host in lab.hosts:
        host.node.start()
    lab.await_links()


@pytest.mark.parametrize(("form", "options"), [
    ("nft", {"chains": "OUTPUT"}), ("legacy", {"chains": "OUTPUT, FORWARD"}),
    ("nft", {"capture": "device", "workers": "2"}),
], ids=["OUTPUT", "FORWARD", "device"])  # fmt: skip
def test_what_is_behind_nat_reaches_the_peer_and_is_answered(form: str, options: dict[str, str]) -> None:
    with Lab(links=2, lans=True) as lab:
        masquerade(lab, form)
        start(lab, **options)
        for family in (4, 6):
            assert lab.lan_a.ping(lab.b, count=20, family=family).received == 20
            assert lab.lan_a.transfer(lab.b, size=2_000_000, family=family).intact
            assert lab.a.transfer(lab.b, size=2_000_000, family=family).intact
        status = lab.a.node.status()
        assert status["capture"]["from_device"] > 0
        assert lab.b.node.status()["peers"][0]["rx"]["refused_foreign_source"] == 0
        lab.stop_nodes()


SERVER: Final = """
import socket
listener = socket.create_server(("::", 5000), family=socket.AF_INET6, dualstack_ipv6=True)
print("ready", flush=True)
while True:
    client, _ = listener.accept()
    client.sendall(bytes(1_000_000))
    client.close()
"""
CLIENT: Final = """
import socket, sys
with socket.create_connection((sys.argv[1], 8080), timeout=10) as server:
    size = 0
    while data := server.recv(1 << 16):
        size += len(data)
print(size)
"""


@pytest.mark.parametrize(("form", "capture"), [("nft", "auto"), ("legacy", "device")])
def test_published_port_serves_the_peer(form: str, capture: str) -> None:
    with Lab(links=2, lans=True) as lab:
        for command, target in ((f"iptables-{form}", lab.lan_a.ipv4), (f"ip6tables-{form}", f"[{lab.lan_a.ipv6}]")):
            lab.a.run([command, "-t", "nat", "-A", "PREROUTING", "-p", "tcp", "--dport", "8080",
                       "-j", "DNAT", "--to-destination", f"{target}:5000"])  # fmt: skip
        start(lab, capture=capture)
        with lab.lan_a.popen([sys.executable, "-c", SERVER]) as server:
            assert server.stdout
            server.stdout.readline()
            found = [lab.b.run([sys.executable, "-c", CLIENT, lab.a.address(family)]).stdout for family in (4, 6)]
            server.kill()
        assert found == ["1000000\n"] * 2
        lab.stop_nodes()


def test_flushed_rules_cost_nothing() -> None:
    with Lab(links=2) as lab:
        lab.start_nodes()
        lab.await_links()
        for command in ("iptables-legacy", "ip6tables-legacy"):
            lab.a.run([command, "-F"])
        for family in (4, 6):
            assert lab.a.ping(lab.b, count=20, family=family).received == 20
            assert lab.a.transfer(lab.b, size=2_000_000, family=family).intact
        lab.stop_nodes()
