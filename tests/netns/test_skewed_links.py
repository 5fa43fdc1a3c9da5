"""Redundant over a fast and a slow link: the slow one neither delays nor starves the fast one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab import measure
from bench.skewed_links import Slow, build
from bench.skewed_links import measure as measure_skew
from tests.netns.conftest import say

if TYPE_CHECKING:
    from alagg.lab.measure import Family

pytestmark = pytest.mark.netns

SIZE: Final = 50_000_000
NOMINAL: Final = Slow(25e6, 0.02)
DEEP: Final = Slow(5e6, 0.1)
"""A slow link as bad as they come: its copies are a tenth of a second late."""


@pytest.mark.parametrize("family", [4, pytest.param(6, marks=pytest.mark.slow)])
def test_tcp_keeps_what_the_fast_link_gives_alone(family: Family) -> None:
    """0.983 is what the headers leave. (A program whose sends wait for the slow link keeps a third.)"""
    (one,) = measure_skew(NOMINAL, size=SIZE, rounds=1, families=[family])
    say(one)
    assert one.joined.intact
    assert one.ratio >= 0.95
    assert one.shed > SIZE / 1500 / 2, "the slow link was not full, so this proves nothing"


@pytest.mark.slow
def test_tcp_does_not_wait_for_a_deep_queue() -> None:
    """When numbers that no link took were not given once more, a third was left."""
    (one,) = measure_skew(DEEP, size=SIZE, rounds=1, families=[4])
    say(one)
    assert one.joined.intact
    assert one.ratio >= 0.8


def test_a_stream_that_the_fast_link_carries_loses_nothing_and_waits_for_nothing() -> None:
    with build(DEEP) as lab:
        lab.start_nodes()
        lab.await_links()
        udp = measure.stream(lab.a, lab.b, count=10_000, interval=1 / 4000)
        pings = measure.ping(lab.a, lab.b, count=200, interval=0.01).result()
        stream, slow = udp.result(), lab.a.node.status()["links"][1]
        lab.stop_nodes()
    say(stream, pings, slow)
    assert (stream.lost, stream.duplicated, stream.out_of_order) == (0, 0, 0)
    assert (pings.lost, pings.duplicated) == (0, 0)
    assert pings.rtt_p50 is not None
    assert pings.rtt_p50 < DEEP.queue / 2, "the fast copy waited for the slow one"
    assert slow["tx_dropped_full"] > 1000, "the slow link was not full, so this proves nothing"
