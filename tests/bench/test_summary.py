"""Medians, spread and ratios of repeats."""

from __future__ import annotations

import pytest

from bench.summary import Summary, ratio, summarise


def test_median_and_spread() -> None:
    assert summarise([90, 100, 110, 1000, 80]) == Summary(median=100, low=80, high=1000, spread=0.1)


def test_one_sample_has_no_spread() -> None:
    assert summarise([7.0]) == Summary(7.0, 7.0, 7.0, 0.0)


def test_a_median_of_zero_has_no_spread() -> None:
    assert summarise([0, 0, 5]).spread == 0.0


def test_a_slow_round_does_not_change_the_ratio() -> None:
    assert ratio([100, 10, 100], [200, 20, 200]) == 0.5
    assert ratio([100, 10, 100], [200, 200, 200]) == 0.5


def test_rounds_must_match() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio([1, 2], [1])
