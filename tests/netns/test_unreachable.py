"""A peer that no link leads to is reached by the kernel's own routes, and changing over loses little or nothing."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import pytest

from alagg.lab import measure
from alagg.lab.topology import Lab
from tests.netns.conftest import running, say
from tests.netns.test_traffic import directions

pytestmark = pytest.mark.netns

INTERVAL: Final = 0.002


def is_unreachable(names: list[str], status: dict[str, Any]) -> bool:
    return bool(status["unreachable"] == names)


def test_a_node_stops_for_good_and_starts_again() -> None:
    """500 packets/s both ways, in both families: at most a second of them is lost at the stop, none at the start."""
    with Lab(links=2) as lab:
        lab.start_nodes()
        lab.await_links()
        for limit, unreachable, change in ((1.0, ["b"], lab.b.node.stop), (0.0, [], lab.b.node.start)):
            streams = [
                measure.stream(source, target, count=30_000, interval=INTERVAL, family=family)
                for source, target, family in directions(lab.a, lab.b)
            ]
            change()
            lab.a.node.wait_status(partial(is_unreachable, unreachable))
            assert all(one.flowing for one in streams)
            for one in streams:
                one.enough()
            for found in [one.result() for one in streams]:
                say(found)
                assert found.lost * INTERVAL <= limit
        lab.stop_nodes()


def test_drop_hands_packets_to_nobody() -> None:
    with running(Lab(links=1), when_unreachable="drop") as lab:
        lab.b.node.stop()
        lab.a.node.wait_status(lambda status: status["links"][0]["state"] == "silent")
        result = measure.ping(lab.a, lab.b, count=100, interval=0.02).result()
        assert result.received == 0
        assert lab.a.node.status()["unreachable"] == []
        lab.b.node.start()
