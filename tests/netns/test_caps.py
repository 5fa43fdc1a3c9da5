"""A link that has carried its cap gives way to the others, over restarts and in both its forms; no ping is lost."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg.lab import measure
from alagg.lab.topology import Lab
from tests.netns.conftest import running, say
from tests.netns.test_link_changes import states, steer
from tests.netns.test_traffic import directions

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.netns


def states_are(**wanted: str) -> Callable[[dict[str, Any]], bool]:
    return lambda status: states(status) == wanted


def test_a_link_gives_way_when_its_cap_is_used_up_stays_so_over_a_restart_and_no_ping_is_lost() -> None:
    with running(Lab(links=2), workers=2) as lab:
        steer(lab.a, do="set", link="eth0", values={"cap": "200kB/month"})
        flows = [measure.ping(source, target, count=500, interval=0.005, size=400, family=family)
                 for source, target, family in directions(lab.a, lab.b)]
        lab.a.node.wait_status(states_are(eth0="capped", eth1="up"))
        assert any(flow.flowing for flow in flows), "the cap was reached while pings were under way"
        for flow in flows:
            result = flow.result()
            say(result)
            assert (result.lost, result.duplicated) == (0, 0)
        (link,) = [link for link in lab.a.node.status()["links"] if link["name"] == "eth0"]
        assert link["cap_used_bytes"] >= link["cap_bytes"] == 200_000
        assert link["reason"].startswith("has carried its 200kB/month, which begins anew on ")
        assert "capped" in lab.a.node.command("link", "show", "eth0").stdout
        log = lab.a.node.log.read_text()
        assert log.count("% of its 200kB/month, which") == 1, "it warned once, in time"
        assert lab.a.node.command("link", "set", "eth0", "cap=200kB/month", "--save").returncode == 0
        lab.a.node.stop()
        lab.a.node.start()
        lab.a.node.wait_status(states_are(eth0="capped", eth1="up"))
        steer(lab.a, do="set", link="eth0", values={"when_capped": "standby"})
        lab.a.node.wait_status(states_are(eth0="standby", eth1="up"))
        steer(lab.a, do="set", link="eth0", values={"cap": "1GB/month"})
        lab.await_links()
        kept = json.loads(lab.a.node.config.with_suffix(".caps").read_text())
        assert kept["links"][0]["link"] == "eth0"
