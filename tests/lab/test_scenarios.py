"""Scenarios: what the figures are taken from, what is said of them, and one run in a real lab."""

from __future__ import annotations

import dataclasses
import io
from typing import Any

import pytest
from rich.console import Console

from alagg.lab import scenarios
from alagg.lab.impairment import Settings
from alagg.lab.measure import Stream, Transfer
from alagg.lab.record import Look, Record
from alagg.lab.scenarios import GAP, LOSS, SCENARIOS, STALL, TWICE, WHOLE, Outcome, Step, Verdict

BAD = Stream(sent=9, received=7, duplicated=3, out_of_order=0, refused=0, longest_gap=0.2)


def outcome(*states: str, trip: float | None = 42.0, mark: float = 1.0) -> Outcome:
    """Give an outcome in which both hosts say a second apart that eth0 is in these states."""
    looks = [
        Look(float(at), [{"links": [{"name": "eth0", "state": state, "rtt_ms": trip}]}] * 2)
        for at, state in enumerate(states)
    ]
    return Outcome(BAD, Transfer(9, 8, intact=False, seconds=1.0, longest_stall=0.3), Record(looks, [(mark, "cut")]))


def test_figures_are_what_was_measured() -> None:
    figures = [goal.figure(outcome()) for goal in (LOSS, TWICE, GAP, WHOLE, STALL)]
    assert figures == [2, 3, 200.0, 1.0, 300.0]


def test_time_until_it_is_noticed_counts_from_what_was_done() -> None:
    seconds = scenarios._noticed("eth0", "silent", 1.0)
    assert seconds(outcome("silent", "up", "up", "silent", mark=1.5)) == 1.5
    assert seconds(outcome("up", "up", "up")) == float("inf")


def test_measured_figures_are_held_against_the_emulator_s() -> None:
    off = scenarios._within("eth0", "rtt_ms", 40.0)
    assert off(outcome(*["up"] * 9)) == 2.0
    assert off(outcome(*["up"] * 9, trip=None)) == float("inf")


@pytest.mark.parametrize("lost", [0, 1])
def test_verdict_says_which_goal_is_missed(lost: int) -> None:
    verdict = Verdict("pulled", outcome(), ((LOSS, lost), (GAP, 49.0)))
    console = Console(file=io.StringIO(), width=100)
    console.print(scenarios.table(verdict))
    assert isinstance(console.file, io.StringIO)
    assert verdict.passed == (not lost)
    assert console.file.getvalue().count("FAILED") == lost
    assert console.file.getvalue().count("ok") == 2 - lost


@pytest.mark.parametrize("name", SCENARIOS)
def test_everything_is_done_while_traffic_flows(name: str) -> None:
    scenario = SCENARIOS[name]
    assert all(0 < step.at < scenario.seconds for step in scenario.steps)
    assert {LOSS, TWICE, WHOLE} <= set(scenario.goals)
    assert len(scenario.links) >= 2


@pytest.mark.netns
def test_scenario_runs_and_its_steps_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[Any] = []
    cut = Step(0.2, "silent", lambda lab: lab.wire[0].cut())
    monkeypatch.setitem(SCENARIOS, "silent", dataclasses.replace(SCENARIOS["silent"], steps=(cut,), seconds=1.5))
    slower = [*scenarios.rates_from("0.1 90e6", 1), Step(0.3, "seen", lambda lab: done.extend(lab.wire[1].settings))]
    verdict = scenarios.run("silent", slower)
    assert done == [Settings(rate=90e6)] * 2
    record = verdict.outcome.record
    assert [words for _, words in record.marks] == ["eth1: 90 Mbit/s", "silent", "seen"]
    assert record.first(0, "eth0", "silent", record.marks[1][0]) is not None
    assert (verdict.outcome.pings.sent, verdict.outcome.pings.lost) == (600, 0)
