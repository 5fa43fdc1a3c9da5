"""Links of different speed: the slow one neither delays nor starves the fast one."""

from __future__ import annotations

import pytest

from alagg.lab.impairment import Settings
from tests.sim.network import Network

FAST, SLOW = 75_000_000, 25_000_000
"""Bits per second."""
SIZE = 1400
FRAME = (SIZE + 20 + 24) * 8


def test_fast_link_alone_decides_the_goodput() -> None:
    network = Network(seed=1)
    one, two = network.host(), network.host()
    fast = network.connect(one, two, "fast", Settings(delay=0.001, rate=FAST))
    slow = network.connect(one, two, "slow", Settings(delay=0.001, rate=SLOW))
    count = int(0.95 * FAST / FRAME) * 2
    stream = network.stream(one, two, count=count, interval=2.0 / count, size=SIZE)
    network.run(4.0)
    report = stream.report()
    assert report[:4] == (count, 0, 0, 0)
    assert report.longest_delay < 0.002
    assert one.link(fast).tx_dropped_full == 0
    assert one.link(slow).tx_dropped_full > count / 2
    (peer,) = one.endpoint.peers.values()
    assert (peer.sender.sent, peer.sender.dropped_full) == (count, 0)


@pytest.mark.slow
def test_more_than_both_links_carry_is_dropped_counted_and_over_when_it_is_over() -> None:
    network = Network(seed=2)
    one, two = network.host(), network.host()
    rate = FAST / 3
    network.connect(one, two, "fast", Settings(delay=0.001, rate=rate))
    network.connect(one, two, "slow", Settings(delay=0.001, rate=SLOW / 3))
    count = int(5 * rate / FRAME)
    flood = network.stream(one, two, count=count, interval=1.0 / count, size=SIZE)
    after = network.stream(one, two, count=200, interval=0.01, start=1.2)
    network.run(5.0)
    report = flood.report()
    (peer,) = one.endpoint.peers.values()
    assert report.duplicated == 0
    assert report.lost == peer.sender.dropped_full > count / 2
    assert count - report.lost > 0.95 * rate / FRAME
    assert after.report()[:4] == (200, 0, 0, 0)
    assert after.report().longest_delay < 0.02


@pytest.mark.parametrize("skew", [0.02, 0.1, 0.3])
def test_losses_of_the_fast_link_are_filled_in_order_by_the_slow_one(skew: float) -> None:
    network = Network(seed=3)
    one, two = network.host(), network.host()
    network.connect(one, two, "fast", Settings(delay=0.001, loss=0.05))
    network.connect(one, two, "slow", Settings(delay=0.001 + skew))
    warm_up = network.stream(one, two, count=2000, interval=0.002)
    stream = network.stream(one, two, count=2000, interval=0.002, start=6.0)
    network.run(15.0)
    assert (warm_up.report().lost, warm_up.report().duplicated) == (0, 0)
    report = stream.report()
    assert report[:4] == (2000, 0, 0, 0)
    assert report.longest_delay == pytest.approx(skew, abs=0.01)


def test_lost_on_both_links_costs_no_more_than_the_slow_one_is_behind() -> None:
    """Every live link has passed the number: it is given up at once, without a timer."""
    network = Network(seed=4)
    one, two = network.host(reorder_timeout=5.0), network.host(reorder_timeout=5.0)
    for name, delay in (("fast", 0.001), ("slow", 0.021)):
        network.connect(one, two, name, Settings(delay=delay, loss=0.2))
    stream = network.stream(one, two, count=2000, interval=0.002, start=0.5)
    network.run(8.0)
    report = stream.report()
    assert 40 < report.lost < 130
    assert (report.duplicated, report.out_of_order) == (0, 0)
    assert report.longest_delay < 0.06
