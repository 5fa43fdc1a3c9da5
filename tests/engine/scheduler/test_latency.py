"""Latency: a slower link only for what would leave the faster ones later."""

from __future__ import annotations

from alagg.engine.scheduler.latency import LONGEST, Latency
from tests.engine.scheduler.test_arrival import share, way


def test_slow_link_is_used_when_what_waits_takes_longer_than_it_is_slower() -> None:
    pacers = [way("near", 50, 0.005), way("far", 50, 0.025)]
    latency = Latency(None)
    latency.waiting = 100_000  # 16 ms of the near one
    while latency.pick(pacers, 1400, 0.0):
        pacers[0].bytes += 1400
    assert pacers[1].can_take(0.0)
    latency.waiting = 150_000
    assert latency.pick(pacers, 1400, 0.0) == (pacers[1],)


def test_packets_may_wait_as_long_as_the_slower_link_is_slower() -> None:
    pacers = [way("near", 50, 0.005), way("far", 50, 0.025)]
    latency = Latency(None)
    share(latency, pacers, 0.01, 10)
    assert 0.02 <= latency.skew <= 0.03


def test_much_slower_link_is_never_used() -> None:
    pacers = [way("near", 10, 0.005), way("far", 50, 0.01 + LONGEST)]
    assert "far" not in share(Latency(None), pacers, 0.5, 110)
