"""`alagg ping` and `alagg speed` on the real kernel, while packets flow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from alagg.lab.topology import Lab

pytestmark = [pytest.mark.netns, pytest.mark.beside]


def test_links_are_tried_and_packets_do_not_notice(lab: Lab) -> None:
    told = lab.a.node.command("ping", "b", "--count", "3", "--json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    assert [(link["sent"], link["received"]) for link in found["links"]] == [(3, 3), (3, 3)]
    assert 0 < found["bond"]["min_ms"] < 1000
    assert [link["stray_replies"] for link in lab.a.node.status()["links"]] == [0, 0]
    lab.a.node.command("link", "block", "eth1")
    told = lab.a.node.command("speed", "b", "--seconds", "0.5", "--rate", "5mbit", "--json")
    assert told.returncode == 0, told.stderr
    eth0, eth1 = json.loads(told.stdout)["links"]
    assert eth0["arrived_bps"] > 1_000_000
    assert (eth1["arrived_bps"], eth1["reason"][:8]) == (None, "blocked:")
    result = lab.a.ping(lab.b, count=20)
    assert (result.received, result.duplicated) == (20, 0)
    told = lab.a.node.command("ping", "nobody")
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)
    assert "no peer nobody; there are: b" in told.stderr
