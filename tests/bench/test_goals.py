"""The goals, on results that are known."""

from __future__ import annotations

from typing import Any

import pytest

from bench import goals
from bench.contestants import BEFORE, CONTESTANTS
from bench.goals import GOALS, Goal, Row
from bench.soak import SAMPLES

REDUNDANT = "TCP goodput, redundant on two links / kernel MPTCP"
IN_C = "engine alone, compiled, 1,400 bytes, two links, out / copy of its bytes and header work in C"
GROWN = "engine's cost per packet, round-robin: 8 links, 1,000 flows, 128 peers / 2, 1, 1"
SOAKED = "memory of a node after ten minutes at full speed / at the begin"


def run(figure: str = "tcp_bit_per_s", **samples: list[float]) -> dict[str, Any]:
    """Give results in which contestants (_ for -) have one figure."""
    return {"end_to_end": {
        name.replace("_", "-"): {"title": name, "figures": {figure: {str(n): one for n, one in enumerate(values)}}}
        for name, values in samples.items()
    }}


def engine(form: str = "compiled", **seconds: list[float]) -> dict[str, Any]:
    named = {name.replace("_", " "): {str(number): one for number, one in enumerate(samples)}
             for name, samples in seconds.items()}
    return {"engine": {"form": form, "seconds": named}}


def row(what: str, *runs: dict[str, Any]) -> Row:
    (found,) = [row for row in goals.rows(runs) if row.goal.what == what]
    return found


def test_ratios_are_taken_turn_by_turn() -> None:
    one = run(alagg_redundant=[8e8, 1e8], mptcp=[1e9, 1.25e8])
    assert row(REDUNDANT, one).values == [0.8, 0.8]


def test_of_several_runs_the_medians_count() -> None:
    runs = [run(alagg_redundant=[ratio, ratio, 9], mptcp=[1, 1, 1]) for ratio in (0.7, 0.9, 0.6)]
    found = row(REDUNDANT, *runs)
    assert (found.values, found.median, found.verdict) == ([0.7, 0.9, 0.6], 0.7, "missed")


def test_nothing_measured_is_nothing_reached() -> None:
    rows = goals.rows([{}])
    assert {row.verdict for row in rows} == {"not measured"}
    assert goals.rows([{}], whole=False) == []


def test_all_goals_are_ratios_between_contestants_that_there_are() -> None:
    known = {*CONTESTANTS, f"{BEFORE}redundant", f"{BEFORE}round-robin"}
    for goal in GOALS:
        assert goal.limit is None or " / " in goal.what
        between = getattr(goal.measure, "keywords", {})
        assert {between.get("one", "veth"), between.get("other", "veth")} <= known


def test_the_engine_counts_only_when_compiled() -> None:
    found = engine(out=[6e-7, 4e-7], C_out=[2e-7, 2e-7])
    assert row(IN_C, found).median == pytest.approx(2.5)
    found["engine"]["form"] = "plain"
    assert row(IN_C, found).values == []


def test_growth_compares_both_ways_together() -> None:
    found = engine(base_out=[1, 2], base_in=[1, 2], grown_out=[1, 2], grown_in=[2, 4])
    assert row(GROWN, found).values == [1.5, 1.5]


@pytest.mark.parametrize(("minutes", "values"), [(10, [2.0]), (5, [])])
def test_memory_counts_after_ten_minutes(minutes: float, values: list[float]) -> None:
    held = [10_000_000] * (SAMPLES // 2) + [20_000_000] * (SAMPLES // 2)
    assert row(SOAKED, {"soak": {"minutes": minutes, "memory_bytes": held}}).values == values


def test_round_trips_are_compared_beyond_the_bare_link() -> None:
    found = run("rtt_p50_s", veth=[20], alagg_redundant=[60], wireguard_go=[100])
    assert row("added round trip, idle, p50, redundant / wireguard-go of 2022", found).values == [0.5]


def test_before_and_after_show_only_where_both_ran() -> None:
    found = run(alagg_round_robin=[2.0, 3.0], before_round_robin=[2.0, 2.0])
    (one,) = [row for row in goals.rows([found]) if row.goal.optional]
    assert (one.goal.what, one.values, one.verdict) == ("TCP goodput, round-robin / before", [1.0, 1.5], "met")


@pytest.mark.parametrize(("at_least", "value", "verdict"), [
    (True, 2.0, "met"), (True, 1.9, "missed"), (False, 2.0, "met"), (False, 2.1, "missed"),
])
def test_verdicts(*, at_least: bool, value: float, verdict: str) -> None:
    assert Row(Goal("", 2.0, lambda _: [], at_least), [value]).verdict == verdict


def test_what_has_no_goal_has_no_verdict() -> None:
    beside = Goal("- beside", None, lambda _: [])
    assert (beside.wanted, Row(beside, [1.0]).verdict, Row(beside, []).verdict) == ("", "", "not measured")
