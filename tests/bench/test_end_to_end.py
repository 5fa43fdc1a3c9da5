"""The contestants in real namespaces, for fractions of a second."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from alagg.lab.namespace import LabError
from bench import end_to_end
from bench.contestants import CONTESTANTS, Mptcp, Share, WireguardGo
from bench.end_to_end import Plan
from bench.search import Trial

if TYPE_CHECKING:
    from bench.end_to_end import Standing
    from bench.results import Results

TINY = Plan(
    rounds=2, transfers=1, tcp_seconds=0.3, trial_seconds=0.1, trials=2, precision=0.5, sizes=(512,), pings=20
)


def run(names: list[str], plan: Plan) -> tuple[Results, list[str], list[str]]:
    """Give the results, what was said, and what failed."""
    into: Results = {}
    said: list[str] = []
    failures: list[str] = []
    entries = {name: CONTESTANTS[name] for name in names}
    end_to_end.run(entries, plan, into, say=said.append, fail=failures.append)
    return {name: one["figures"] for name, one in into.items()}, said, failures


@pytest.mark.slow
@pytest.mark.netns
def test_every_contestant_is_measured() -> None:
    names = ["veth", "mptcp", "alagg-round-robin", "alagg-redundant-plain", "mptcp-gro", "alagg-redundant-gro"]
    found, said, failures = run(names, replace(TINY, rounds=1))
    assert failures == []
    assert [line.partition(": ")[2] for line in said] == list(end_to_end.MEASURES)
    for name, figures in found.items():
        contestant = CONTESTANTS[name]()
        assert {"tcp_bit_per_s", "cpu_s_per_gb", "others_load"} <= set(figures)
        more = {"udp_512_per_s", "udp_512_capped", "rtt_p50_s", "rtt_p99_s"}
        whole = contestant.datagrams and contestant.share is Share.FULL
        assert more & set(figures) == (more if whole else set())
        assert all(list(samples) == ["0"] for samples in figures.values())
        assert ("memory_bytes" in figures) == name.startswith("alagg")
    assert found["alagg-redundant-plain"]["memory_bytes"]["0"] > 1 << 20


@pytest.mark.netns
def test_mptcp_uses_both_links_or_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mptcp, "set_up", lambda _: None)
    _, _, failures = run(["mptcp"], replace(TINY, rounds=1))
    assert len(failures) == 1
    assert failures[0].startswith("kernel MPTCP failed in round 1: kernel MPTCP: a link lies idle")


@pytest.mark.netns
def test_who_cannot_be_set_up_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise LabError("wg is not installed")

    monkeypatch.setattr(WireguardGo, "set_up", fail)
    monkeypatch.setattr(end_to_end, "MEASURES", {})
    found, _, failures = run(["wireguard-go", "veth"], TINY)
    assert list(found) == ["veth"]
    assert failures == ["wireguard-go does not take part: wg is not installed"]


@pytest.mark.netns
def test_who_fails_loses_the_round_and_then_is_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(standing: Standing, _: Plan) -> None:
        standing.add("tcp_bit_per_s", 1e9)
        if isinstance(standing.contestant, Mptcp) and standing.turn:
            raise ConnectionError("the other side\nended")
        standing.add("rtt_p50_s", 1e-3)

    monkeypatch.setattr(end_to_end, "MEASURES", {"some": (measure,)})
    found, said, failures = run(["veth", "mptcp"], replace(TINY, rounds=4))
    assert failures == [
        "kernel MPTCP failed in round 2: ConnectionError: the other side ended",
        "kernel MPTCP failed in round 3: ConnectionError: the other side ended; it is out",
    ]
    assert said == [f"round {number} of 4: some" for number in (1, 2, 3, 4)]
    assert len(found["veth"]["rtt_p50_s"]) == 4
    assert found["mptcp"]["rtt_p50_s"] == {"0": 1e-3}


@pytest.mark.netns
def test_what_is_compared_is_measured_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def measure(standing: Standing, _: Plan) -> None:
        seen.append((standing.contestant.title, standing.turn))

    monkeypatch.setattr(end_to_end, "MEASURES", {"TCP": (measure,), "more": (measure,)})
    _, said, failures = run(["veth", "mptcp"], replace(TINY, transfers=2))
    veth, mptcp = "veth, one link", "kernel MPTCP"
    assert failures == []
    assert said == [f"round {number} of 2: {title}" for number in (1, 2) for title in ("TCP", "TCP", "more")]
    assert seen == [(title, turn) for turn in (0, 1, 0, 2, 3, 2) for title in (veth, mptcp)]


@pytest.mark.netns
def test_a_node_that_dies_is_a_failure_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(standing: Standing, _: Plan) -> None:
        os.kill(standing.contestant.lab.b.node.pid, signal.SIGKILL)
        standing.contestant.lab.b.node.wait_status(lambda _: False)

    monkeypatch.setattr(end_to_end, "MEASURES", {"some": (crash,)})
    found, _, failures = run(["alagg-redundant"], replace(TINY, rounds=1))
    assert len(failures) == 1
    assert failures[0].startswith("alagg redundant failed in round 1: ")
    assert found["alagg-redundant"] == {}


@pytest.mark.netns
def test_the_budget_ends_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_to_end, "MEASURES", {})
    _, said, _ = run(["veth"], replace(TINY, budget=0.0))
    assert said == ["no time for more than 1 rounds"]


def test_a_failed_trial_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [Trial(100, 1, 50, 1), Trial(100, 1, 90, 1), Trial(100, 1, 100, 1)]
    left = iter(trials)
    monkeypatch.setattr(end_to_end, "try_rate", lambda *_: next(left))
    contestant = CONTESTANTS["veth"]()
    assert end_to_end.try_twice(contestant, 64, 1.0, 100) is trials[1]
    assert end_to_end.try_twice(contestant, 64, 1.0, 100) is trials[2]
