"""The goals, on results that are known."""

from __future__ import annotations

import pytest

from bench import goals
from bench.contestants import CONTESTANTS
from bench.end_to_end import Standing
from bench.engine import Case, Cost
from bench.goals import GOALS, Goal, Results
from bench.growth import BASE, Growth


def standing(**samples: list[float]) -> Standing:
    return Standing(CONTESTANTS["veth"](), samples)


def cost(stage: str, batch: int | None, *samples: float) -> Cost:
    return Cost(Case(stage, lambda: lambda: None, 1400, 2, batch), samples)


def value(what: str, results: Results) -> float | None:
    (goal,) = [goal for goal in GOALS if goal.what == what]
    measured = goal.measure(results)
    return measured and measured[0]


def test_ratios_are_taken_round_by_round() -> None:
    results = Results(standings={
        "alagg-redundant": standing(tcp_1_bit_per_s=[8e8, 1e8]), "mptcp": standing(tcp_1_bit_per_s=[1e9, 1.25e8]),
    })
    assert value("TCP goodput, redundant on two links / kernel MPTCP", results) == pytest.approx(0.8)


def test_nothing_measured_is_nothing_reached() -> None:
    rows = goals.values(Results())
    assert len(rows) == len(GOALS)
    assert all(row["measured"] is None and row["reached"] is None for row in rows)


def test_the_engine_counts_only_when_compiled() -> None:
    costs = [
        cost("whole, out", 1, 9e-6, 9e-6), cost("whole, out", 64, 6e-7, 4e-7),
        cost("C reference, out", None, 2e-7, 2e-7),
    ]
    out = "engine alone, compiled, 1,400 bytes, two links, out"
    assert value(out, Results("compiled", costs)) == pytest.approx(0.5)
    assert value("the same, out / copy and header work in C", Results("compiled", costs)) == pytest.approx(2.5)
    assert value(out, Results("plain", costs)) is None
    assert value("the same, out / copy and header work in C", Results("plain", costs)) is None


def test_growth_compares_both_ways_together() -> None:
    base = Growth("base", "", BASE, (1.0, 2.0), (1.0, 2.0))
    growths = [base, Growth("all three", "", BASE, (1.0, 2.0), (2.0, 4.0))]
    assert value("cost per packet, 8 links, 1,000 flows, 128 peers / 2, 1, 1", Results(growths=growths)) == 1.5


def test_memory_is_that_of_the_largest_node() -> None:
    results = Results(standings={
        "alagg-redundant": standing(memory_bytes=[5e7]), "alagg-round-robin": standing(memory_bytes=[7e7]),
        "openvpn": standing(memory_bytes=[9e7]),
    })
    assert value("memory of a node at full speed", results) == 70


@pytest.mark.parametrize(("at_least", "value", "reached"), [
    (True, 2.0, True), (True, 1.9, False), (False, 2.0, True), (False, 2.1, False),
])
def test_reached(*, at_least: bool, value: float, reached: bool) -> None:
    assert Goal("", 2.0, lambda _: None, at_least).reached(value) is reached
