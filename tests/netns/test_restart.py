"""A node dies by SIGKILL and is started again: traffic flows again at once, and the other node stays as it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab import measure
from tests.netns.conftest import say

if TYPE_CHECKING:
    from alagg.lab.host import Host
    from alagg.lab.measure import Running, Stream
    from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns

INTERVAL: Final = 0.005
DEAD: Final = 1.0
"""Seconds between the node's death and its start."""
RESUMED: Final = 1.0
"""Seconds from the node's readiness in which traffic must flow again."""
SPAN: Final = 8.0
"""Seconds of traffic around the restart: enough for a start on a busy machine, and for the time after it."""


@pytest.mark.parametrize("letter", ["a", "b"])
def test_traffic_flows_again_within_a_second_of_the_start(lab: Lab, letter: str) -> None:
    victim, survivor = lab.hosts if letter == "a" else lab.hosts[::-1]
    pid = survivor.node.pid
    pings, streams = _traffic(lab)
    time.sleep(1)
    dead, ready = _kill_and_start(victim)
    again = [measure.ping(*way, count=600, interval=INTERVAL, family=family) for way, family in _ways(lab)]
    after = [one.result() for one in again]
    around = [one.result() for one in pings]
    one_way = [one.result() for one in streams]
    say(f"dead for {ready - dead:.3f} s", "pings around", *around, "streams around", *one_way, "pings after", *after)
    assert max(one.longest_gap for one in around) - (ready - dead) < RESUMED
    assert {(one.lost, one.duplicated) for one in after} == {(0, 0)}, "something was lost for a second time"
    assert {(one.duplicated, one.out_of_order) for one in around + one_way} == {(0, 0)}, "something stale came"
    assert all(one.received > 0 for one in one_way)
    assert survivor.node.running
    assert survivor.node.pid == pid == survivor.node.status()["pid"]
    assert survivor.node.status()["peers"][0]["rx"]["resets"] == 1


def test_restarts_in_quick_succession_cost_no_more_than_themselves(lab: Lab) -> None:
    """The other side still distrusts the first new stream of numbers when the second one comes."""
    lab.a.ping(lab.b, count=50, interval=INTERVAL)
    for _ in range(3):
        lab.a.node.kill()
        lab.a.node.start()
        stream = measure.stream(lab.a, lab.b, count=300, interval=INTERVAL).result()
        say(stream)
        assert (stream.lost, stream.duplicated, stream.out_of_order) == (0, 0, 0)


def _ways(lab: Lab) -> list[tuple[tuple[Host, Host], measure.Family]]:
    return [((lab.a, lab.b), 4), ((lab.b, lab.a), 6)]


def _traffic(lab: Lab) -> tuple[list[Running[Stream]], list[Running[Stream]]]:
    count = int(SPAN / INTERVAL)
    return (
        [measure.ping(*way, count=count, interval=INTERVAL, family=family) for way, family in _ways(lab)],
        [measure.stream(*way, count=count, interval=INTERVAL, family=family) for way, family in _ways(lab)],
    )


def _kill_and_start(victim: Host) -> tuple[float, float]:
    """Kill the node and start it again; give when it died, and when it was ready."""
    victim.node.kill()
    dead = time.monotonic()
    time.sleep(DEAD)
    victim.node.start()
    return dead, time.monotonic()
