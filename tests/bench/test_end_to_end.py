"""The contestants in real namespaces, for fractions of a second."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alagg.lab.namespace import LabError
from bench import end_to_end
from bench.contestants import CONTESTANTS, Mptcp, WireguardGo
from bench.end_to_end import Plan
from bench.search import Trial

TINY = Plan(
    rounds=2, tcp_seconds=0.3, trial_seconds=0.1, trials=2, precision=0.5, sizes=(512,), pings=20, loaded_pings=20
)


@pytest.mark.slow
@pytest.mark.netns
def test_every_contestant_is_measured() -> None:
    said: list[str] = []
    names = ["veth", "mptcp", "alagg-round-robin", "alagg-redundant-plain"]
    standings = end_to_end.run(names, TINY, said.append)
    titles = [CONTESTANTS[name]().title for name in names]
    assert [line.partition(": ")[2] for line in said] == titles * 2
    for name, standing in standings.items():
        contestant = standing.contestant
        assert {"tcp_1_bit_per_s", "tcp_1_cpu_s_per_gb", "others_load"} <= set(standing.samples)
        more = {"tcp_8_bit_per_s", "rtt_tcp_p50_s", "rtt_tcp_p99.9_s", "rtt_loaded_p99_s"}
        assert more & set(standing.samples) == (more if contestant.thorough else set())
        assert ("udp_512_per_s" in standing.samples) == (contestant.datagrams and contestant.thorough)
        assert all(len(samples) == 2 for samples in standing.samples.values())
        assert ("memory_bytes" in standing.samples) == name.startswith("alagg")
    assert min(standings["alagg-redundant-plain"].samples["memory_bytes"]) > 1 << 20


@pytest.mark.netns
def test_mptcp_uses_both_links_or_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mptcp, "set_up", lambda _: None)
    with pytest.raises(LabError, match="kernel MPTCP: a link lies idle"):
        end_to_end.run(["mptcp"], TINY, lambda _: None)


@pytest.mark.netns
def test_who_cannot_be_set_up_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise LabError("wg is not installed")

    monkeypatch.setattr(WireguardGo, "set_up", fail)
    monkeypatch.setattr(end_to_end, "MEASURES", ())
    said: list[str] = []
    assert list(end_to_end.run(["wireguard-go", "veth"], TINY, said.append)) == ["veth"]
    assert said[0] == "wireguard-go does not take part: wg is not installed"
    with pytest.raises(LabError, match="no contestant"):
        end_to_end.run(["wireguard-go"], TINY, said.append)


@pytest.mark.netns
def test_the_budget_ends_the_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(end_to_end, "MEASURES", ())
    said: list[str] = []
    end_to_end.run(["veth"], replace(TINY, budget=0.0), said.append)
    assert said == ["round 1 of 2: veth, one link", "no time for more than 1 rounds"]


def test_a_failed_trial_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [Trial(100, 1, 50, 1), Trial(100, 1, 90, 1), Trial(100, 1, 100, 1)]
    left = iter(trials)
    monkeypatch.setattr(end_to_end, "try_rate", lambda *_: next(left))
    contestant = CONTESTANTS["veth"]()
    assert end_to_end.try_twice(contestant, 64, 1.0, 100) is trials[1]
    assert end_to_end.try_twice(contestant, 64, 1.0, 100) is trials[2]
