"""Redundant links lose what theory allows, p to the power of n, and nothing else."""

from __future__ import annotations

import pytest

from tests.sim import residual_loss, snapshot
from tests.sim.residual_loss import CASES, Result, measure, show, wilson

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [measure(*case) for case in CASES]


def test_measured_loss_agrees_with_theory(results: list[Result]) -> None:
    assert [result for result in results if not result.agrees] == []


def test_only_packets_are_lost_of_which_no_copy_came(results: list[Result]) -> None:
    assert [(result.unexplained, result.duplicated) for result in results] == [(0, 0)] * len(results)


def test_table_is_as_it_was(results: list[Result]) -> None:
    snapshot.check("residual_loss", show(results))


@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [(0, 100, 0.0, 0.0622), (50, 100, 0.3754, 0.6246), (100, 100, 0.9378, 1.0), (15, 200_000, 3.9e-5, 1.44e-4)],
)
def test_bounds(hits: int, trials: int, low: float, high: float) -> None:
    assert wilson(hits, trials) == pytest.approx((low, high), rel=0.01)


def test_result_that_theory_excludes_is_noticed() -> None:
    assert not Result(0.05, 2, 60_000, 300, 0, 0).agrees
    assert not Result(0.05, 2, 60_000, 60, 0, 0).agrees
    assert residual_loss.show([Result(0.05, 2, 60_000, 300, 0, 0)]).count("NO") == 1
