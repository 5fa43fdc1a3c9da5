"""Schedulers that go by what is measured: which links they use, in which order, and what they only try."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from alagg.engine.gauge import Clock, Gauge
from alagg.engine.link import Link
from alagg.engine.pacer import Numbered, Pacer
from alagg.engine.scheduler import SCHEDULERS
from alagg.engine.scheduler.arrival import LONGEST_PAUSE, PRESSED, TRIAL, Trial
from alagg.engine.state import SUSPECT, UP, WARY

if TYPE_CHECKING:
    from alagg.engine.scheduler.base import Scheduler

MEASURING = ("latency", "adaptive")
MBIT = 125_000.0


def way(name: str, mbit: float, delay: float, *, measured: bool = True) -> Pacer:
    """Give a link whose rate and delay are known."""
    pacer = Pacer(Link(0, name, 1500))
    pacer.link.become(UP, "")
    pacer.link.base_rtt = pacer.link.rtt = 2 * delay
    pacer.gauge = Gauge(pacer.link, Clock())
    if measured:
        pacer.gauge.rate, pacer.gauge.delay = mbit * MBIT, delay
        pacer.gauge.seen, pacer.gauge.known = pacer.gauge.rate, True
    pacer.follow(0.0)
    return pacer


def share(scheduler: Scheduler, pacers: list[Pacer], seconds: float, mbit: float, start: float = 0.0) -> list[str]:
    """Give on which links the packets went that came at so many Mbit/s; links carry what they were measured with."""
    went, waiting, now = [], 0.0, start
    while now < start + seconds:
        now += 0.001
        waiting = min(waiting + mbit * MBIT / 1000, 200_000)
        while waiting >= 1400:
            scheduler.waiting = int(waiting) - 1400
            chosen = scheduler.pick(pacers, 1400, now)
            if not chosen:
                break
            waiting -= 1400
            went.append("+".join(pacer.link.name for pacer in chosen))
            for pacer in chosen:
                pacer.hold(Numbered(bytes(1400), 0, 0, 0, 0))
        else:
            scheduler.idle(now)
        for pacer in pacers:
            carry(pacer, now)
    return went


def carry(pacer: Pacer, now: float) -> None:
    """Have a link send, and report at once."""
    assert pacer.gauge is not None
    pacer.release(1, now)
    pacer.link.settle(len(pacer.link.payloads))
    pacer.settle(now)
    pacer.gauge.forget_sent()


@pytest.mark.parametrize("name", MEASURING)
def test_links_that_are_alike_carry_alike(name: str) -> None:
    pacers = [way("one", 50, 0.01), way("two", 50, 0.0105)]
    went = share(SCHEDULERS[name](None), pacers, 0.5, 120)
    assert went.count("one") == pytest.approx(went.count("two"), rel=0.1)


@pytest.mark.parametrize("name", MEASURING)
def test_slow_link_is_left_alone_while_the_fast_one_carries_all(name: str) -> None:
    pacers = [way("far", 50, 0.03), way("near", 50, 0.005)]
    assert set(share(SCHEDULERS[name](None), pacers, 0.5, 40)) == {"near"}


@pytest.mark.parametrize("name", MEASURING)
def test_slow_link_helps_once_the_fast_one_has_been_full(name: str) -> None:
    pacers = [way("far", 50, 0.03), way("near", 50, 0.005)]
    went = share(SCHEDULERS[name](None), pacers, 1.0, 110)
    assert set(went[:50]) == {"near"}
    assert went.count("far") > 0.25 * len(went)


@pytest.mark.parametrize("name", MEASURING)
def test_few_packets_of_a_flow_wait_for_the_fast_link(name: str) -> None:
    pacers = [way("far", 50, 0.03), way("near", 50, 0.005)]
    scheduler = SCHEDULERS[name](None)
    share(scheduler, pacers, 0.3, 110)
    scheduler.urgent = True
    assert "far" not in share(scheduler, pacers, 0.3, 110, start=0.3)


def test_far_link_that_adds_little_is_only_tried_and_with_copies() -> None:
    pacers = [way("near", 100, 0.005), way("far", 5, 0.3)]
    went = share(SCHEDULERS["adaptive"](None), pacers, TRIAL + PRESSED + 0.5, 130)
    assert set(went) == {"near", "near+far"}
    assert set(went[-100:]) == {"near"}


@pytest.mark.parametrize("name", MEASURING)
def test_far_link_of_which_nothing_is_known_is_tried_with_copies_first(name: str) -> None:
    pacers = [way("near", 20, 0.005), way("far", 20, 0.1, measured=False)]
    went = share(SCHEDULERS[name](None), pacers, 0.3, 60)
    assert "far" not in went
    assert "near+far" in went


@pytest.mark.parametrize("name", MEASURING)
@pytest.mark.parametrize("trouble", ["state", "doubt", "loss", "stalled"])
def test_link_in_trouble_gets_nothing_while_another_one_is_well(name: str, trouble: str) -> None:
    pacers = [way("bad", 50, 0.005), way("good", 50, 0.005)]
    harm(pacers[0], trouble)
    assert set(share(SCHEDULERS[name](None), pacers, 0.2, 120)) == {"good"}


@pytest.mark.parametrize("name", MEASURING)
def test_only_link_is_used_in_any_trouble(name: str) -> None:
    for trouble in ("state", "doubt", "loss", "stalled"):
        pacer = way("bad", 50, 0.005)
        harm(pacer, trouble)
        assert set(share(SCHEDULERS[name](None), [pacer], 0.2, 120)) == {"bad"}


def harm(pacer: Pacer, trouble: str) -> None:
    assert pacer.gauge is not None
    if trouble == "loss":
        pacer.link.loss = 0.3
    elif trouble == "stalled":
        pacer.gauge.blind = True
    else:
        pacer.link.become(WARY if trouble == "state" else SUSPECT, "")


@pytest.mark.parametrize("name", MEASURING)
def test_configured_rate_is_a_bound(name: str) -> None:
    pacers = [way("one", 50, 0.005), way("two", 50, 0.005)]
    pacers[0].limit = 5 * MBIT
    for pacer in pacers:
        pacer.follow(0.0)
    went = share(SCHEDULERS[name](None), pacers, 1.0, 120)
    assert went.count("one") * 1438 <= 1.05 * 5 * MBIT


def test_trials_come_at_growing_intervals_and_only_when_needed() -> None:
    trial = Trial()
    assert not trial.runs(0.0, needed=False)
    starts, running = [], False
    for step in range(10 * 300):
        is_running = trial.runs(step / 10, needed=True)
        if is_running and not running:
            starts.append(step / 10)
        running = is_running
    pauses = [after - before for before, after in itertools.pairwise(starts)]
    assert pauses == sorted(pauses)
    assert 2 * TRIAL < pauses[0] < pauses[-1] <= LONGEST_PAUSE + TRIAL + 0.2
