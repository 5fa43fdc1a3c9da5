"""A train's rate: the spacing of acknowledgements is believed where it was long enough to be measured."""

from __future__ import annotations

import pytest

from alagg.stream.core.train import DOUBTFUL, EVENTS, Train


def feed(train: Train, events: int, every: float, size: int = 50_000, sent: float = 0.0, at: float = 2.0) -> None:
    for number in range(events):
        train.acknowledged(size, sent, sent, at + number * every, 1e4)


def test_spacing_shows_the_rate() -> None:
    train = Train()
    feed(train, EVENTS, 0.005)
    assert train.measured
    assert train.rate == pytest.approx(1e7)


@pytest.mark.parametrize(("events", "every"), [(EVENTS - 1, 0.005), (EVENTS, 0.0), (2 * EVENTS, 1e-4)])
def test_what_is_short_or_comes_in_a_heap_is_doubted(events: int, every: float) -> None:
    train = Train()
    feed(train, events, every)
    assert not train.measured
    assert train.rate == pytest.approx(DOUBTFUL * 1e4)


def test_what_was_measured_is_not_doubted_again() -> None:
    train = Train()
    feed(train, EVENTS, 0.01)
    feed(train, 2, 1e-4, sent=3.0, at=5.0)
    assert train.rate == pytest.approx(5e6)


def test_a_pause_in_sending_is_no_slowness_of_the_way() -> None:
    train = Train()
    feed(train, EVENTS, 0.01)
    feed(train, EVENTS, 0.005, sent=1.0, at=3.0)
    assert train.rate == pytest.approx(1e7)


def test_slow_sending_is_no_fast_way() -> None:
    train = Train()
    for number in range(EVENTS + 1):
        train.acknowledged(1000, number * 0.01, number * 0.01, 2.0 + number * 0.001, 0.0)
    assert train.rate == pytest.approx(1000 * EVENTS / (EVENTS * 0.01))
