"""Estimates: a link that delivers steadily is known within some round trips."""

from __future__ import annotations

import pytest

from alagg.stream.core.estimate import FIRST_PATIENCE, INITIAL, MAX_SEGMENT, MIN_SEGMENT, SLACK, Estimate


def known(rate: float = 1e6, round_trip: float = 0.05) -> Estimate:
    estimate = Estimate()
    for number in range(100):
        estimate.trip(round_trip, number * round_trip)
        estimate.sample(rate, number * round_trip, limited=False)
    return estimate


def test_before_anything_is_known_little_is_sent() -> None:
    estimate = Estimate()
    assert estimate.limit == INITIAL
    assert estimate.due(0, 0.1) == FIRST_PATIENCE


def test_the_limit_follows_rate_and_round_trip() -> None:
    assert known().limit == pytest.approx(2 * 1e6 * (0.05 + SLACK), rel=0.01)


def test_while_the_rate_grows_so_does_the_limit() -> None:
    estimate = Estimate()
    estimate.trip(0.05, 0.0)
    for number in range(8):
        estimate.sample(1e5 * 2**number, number * 0.05, limited=False)
        assert estimate.limit == pytest.approx(3 * estimate.rate * (0.05 + SLACK), rel=0.01)


def test_a_sample_of_little_work_lowers_nothing() -> None:
    estimate = known()
    estimate.sample(1e3, 5.0, limited=True)
    assert estimate.rate == 1e6
    estimate.sample(2e6, 5.0, limited=True)
    assert estimate.rate == 2e6


def test_a_slower_rate_is_believed_after_ten_round_trips() -> None:
    estimate = known()
    for number in range(30):
        estimate.sample(1e5, 6.0 + number * 0.05, limited=False)
    assert estimate.rate == 1e5


def test_a_longer_round_trip_is_believed_after_the_queue_was_drained() -> None:
    estimate = known()
    now = 5.0
    while now < 30.0:
        estimate.trip(0.2, now)
        now += 0.1
    assert estimate.round_trip == pytest.approx(0.2)


@pytest.mark.parametrize(("rate", "size"), [(1e3, MIN_SEGMENT), (1e6, 10_000), (1e9, MAX_SEGMENT)])
def test_a_segment_takes_ten_milliseconds(rate: float, size: int) -> None:
    assert known(rate).segment == size


def test_what_waits_comes_before() -> None:
    estimate = known()
    assert estimate.arrival(0, 10_000) == pytest.approx(0.01 + 0.025)
    assert estimate.arrival(150_000, 10_000) == pytest.approx(0.01 + 0.1 + 0.025)
    assert estimate.due(150_000, 0.1) == pytest.approx(1.5 * 0.15, abs=0.01)
