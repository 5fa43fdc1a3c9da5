"""NAT on a host with a node: containers behind MASQUERADE work as they do without the node."""

from __future__ import annotations

import pytest

from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns


def masquerade(lab: Lab) -> None:
    """Give what the host behind A sends to others the address of A, as container engines do."""
    for command in ("iptables-legacy", "ip6tables-legacy"):
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


@pytest.mark.parametrize("options", [
    {"chains": "OUTPUT"}, {"chains": "OUTPUT, FORWARD"}, {"chains": "OUTPUT, FORWARD", "capture": "device"},
], ids=["OUTPUT", "FORWARD", "device"])  # fmt: skip
def test_what_is_behind_nat_reaches_the_peer_and_is_answered(options: dict[str, str]) -> None:
    with Lab(links=2, lans=True) as lab:
        masquerade(lab)
        start(lab, **options)
        for family in (4, 6):
            assert lab.lan_a.ping(lab.b, count=20, family=family).received == 20
            assert lab.lan_a.transfer(lab.b, size=2_000_000, family=family).intact
            assert lab.a.transfer(lab.b, size=2_000_000, family=family).intact
        status = lab.a.node.status()
        assert status["capture"]["from_device"] > 0
        assert lab.b.node.status()["peers"][0]["rx"]["refused_foreign_source"] == 0
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
