"""The goals, on results that are known."""

from __future__ import annotations

import pytest

from bench import goals
from bench.contestants import CONTESTANTS
from bench.engine import Case, Cost
from bench.goals import GOALS, Goal, Measured, Results
from bench.growth import BASE, Growth
from bench.growth_net import Load, Way
from bench.soak import SAMPLES, Soak
from bench.standing import Standing

IN_C = "the same, out / copy of its bytes and header work in C"
GROWN = "engine's cost per packet, round-robin: 8 links, 1,000 flows, 128 peers / 2, 1, 1"


def standing(**samples: list[float]) -> Standing:
    return Standing(CONTESTANTS["veth"](), {name: dict(enumerate(values)) for name, values in samples.items()})


def cost(stage: str, batch: int | None, *samples: float) -> Cost:
    return Cost(Case(stage, lambda: lambda: None, 1400, 2, batch), samples)


def value(what: str, results: Results) -> float | None:
    (goal,) = [goal for goal in GOALS if goal.what == what]
    measured = goal.measure(results)
    return measured.value if measured else None


def test_ratios_are_taken_round_by_round() -> None:
    results = Results(standings={
        "alagg-redundant": standing(tcp_1_bit_per_s=[8e8, 1e8]), "mptcp": standing(tcp_1_bit_per_s=[1e9, 1.25e8]),
    })
    assert value("TCP goodput, redundant on two links / kernel MPTCP", results) == pytest.approx(0.8)


def test_nothing_measured_is_nothing_reached() -> None:
    rows = goals.values(Results())
    assert len(rows) == len(GOALS)
    assert all(row["measured"] is None and row["verdict"] == "not measured" for row in rows)


def test_the_engine_counts_only_when_compiled() -> None:
    costs = [
        cost("whole, out", 1, 9e-6, 9e-6), cost("whole, out", 64, 6e-7, 4e-7),
        cost("C reference, out", None, 2e-7, 2e-7),
    ]
    out = "engine alone, compiled, 1,400 bytes, two links, out"
    assert value(out, Results("compiled", costs)) == pytest.approx(0.5)
    assert value(IN_C, Results("compiled", costs)) == pytest.approx(2.5)
    assert value(out, Results("plain", costs)) is None
    assert value(IN_C, Results("plain", costs)) is None


def test_growth_compares_both_ways_together() -> None:
    base = Growth("base", "", BASE, (1.0, 2.0), (1.0, 2.0))
    growths = [base, Growth("all three", "", BASE, (1.0, 2.0), (2.0, 4.0))]
    assert value(GROWN, Results(growths=growths)) == 1.5


def test_memory_is_that_of_the_largest_node() -> None:
    results = Results(standings={
        "alagg-redundant": standing(memory_bytes=[5e7]), "alagg-round-robin": standing(memory_bytes=[7e7]),
        "openvpn": standing(memory_bytes=[9e7]),
    })
    assert value("memory of a node at full speed, at most", results) == 70


@pytest.mark.parametrize(("at_least", "value", "verdict"), [
    (True, 2.0, "met"), (True, 1.9, "missed"), (False, 2.0, "met"), (False, 2.1, "missed"),
])
def test_verdicts(*, at_least: bool, value: float, verdict: str) -> None:
    assert Goal("", 2.0, lambda _: None, at_least).verdict(Measured(value, 0.0)) == verdict


def test_what_has_no_goal_has_no_verdict() -> None:
    beside = Goal("- beside", None, lambda _: None)
    assert (beside.wanted, beside.verdict(Measured(1.0, 0.0)), beside.verdict(None)) == ("", "", "not measured")


def test_a_round_that_failed_is_left_out_of_both() -> None:
    one, other = standing(tcp_1_bit_per_s=[8e8, 1e8]), standing(tcp_1_bit_per_s=[1e9, 1e9])
    one.rounds["tcp_1_bit_per_s"] = {0: 8e8, 2: 4e8}
    results = Results(standings={"alagg-redundant": one, "mptcp": other})
    assert value("TCP goodput, redundant on two links / kernel MPTCP", results) == pytest.approx(0.8)
    other.rounds["tcp_1_bit_per_s"] = {1: 1e9}
    assert value("TCP goodput, redundant on two links / kernel MPTCP", results) is None


def test_the_plain_form_is_that_with_compiled_edges() -> None:
    rates = {"alagg-redundant-plain-engine": 4e8, "alagg-redundant-plain": 3e8, "mptcp": 1e9}
    results = Results(standings={name: standing(tcp_1_bit_per_s=[rate]) for name, rate in rates.items()})
    (row,) = [number for number, goal in enumerate(GOALS) if goal.limit == 0.35]
    assert "plain engine with compiled edges (ALAGG_PURE=1)" in GOALS[row].what
    assert value(GOALS[row].what, results) == pytest.approx(0.4)
    assert "all plain" in GOALS[row + 1].what
    assert value(GOALS[row + 1].what, results) == pytest.approx(0.3)


def test_growth_end_to_end_is_compared_round_by_round() -> None:
    def way(count: int, *costs: float) -> Way:
        return Way("links", count, CONTESTANTS["veth"], rounds={n: Load(1e9, cost) for n, cost in enumerate(costs)})

    results = Results(ways=[way(2, 1.0, 10.0, 2.0), way(8, 1.5, 15.0)])
    assert value("- CPU seconds per GB end to end: 8 links / 2", results) == pytest.approx(1.5)
    assert value("- CPU seconds per GB end to end: 128 peers / 1", results) is None


@pytest.mark.parametrize(("minutes", "grown"), [(10.0, 3.0), (9.9, None)])
def test_only_ten_minutes_tell_whether_memory_is_flat(minutes: float, grown: float | None) -> None:
    held = (10_000_000, *[50_000_000] * (SAMPLES - 7), *[53_000_000] * 6)
    results = Results(soak=Soak(minutes, 1e9, held))
    assert value("growth of a node's memory in ten minutes at full speed", results) == grown
