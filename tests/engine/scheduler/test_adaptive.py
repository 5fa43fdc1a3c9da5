"""Adaptive: what a link adds to the rate must be worth what it adds to the delay."""

from __future__ import annotations

import pytest

from alagg.engine.scheduler.adaptive import Adaptive
from tests.engine.scheduler.test_arrival import share, way


@pytest.mark.parametrize(
    ("near", "far", "skew", "used"),
    [
        (50, 50, 0.025, True), (80, 20, 0.035, True), (100, 5, 0.295, False), (300, 3, 0.045, False),
        (10, 10, 0.3, False),
    ],
)
def test_far_link_is_used_where_it_is_worth_it(near: float, far: float, skew: float, used: bool) -> None:  # noqa: FBT001
    pacers = [way("near", near, 0.005), way("far", far, 0.005 + skew)]
    assert ("far" in share(Adaptive(None), pacers, 0.5, 2 * (near + far))) == used


def test_two_far_links_are_weighed_one_after_the_other() -> None:
    pacers = [way("fibre", 80, 0.005), way("lte", 20, 0.04), way("satellite", 5, 0.3)]
    went = share(Adaptive(None), pacers, 0.6, 130)
    assert "lte" in went
    assert "satellite" not in went
