"""The contestants in real namespaces, for fractions of a second."""

from __future__ import annotations

import pytest

from alagg.lab.namespace import LabError
from bench import end_to_end
from bench.contestants import CONTESTANTS, Mptcp
from bench.end_to_end import Plan
from bench.search import Trial

TINY = Plan(rounds=2, tcp_seconds=0.3, trial_seconds=0.1, trials=3, precision=0.5, sizes=(512,), pings=20)


@pytest.mark.slow
@pytest.mark.netns
def test_every_contestant_is_measured() -> None:
    said: list[str] = []
    standings = end_to_end.run(list(CONTESTANTS), TINY, said.append)
    titles = [kind.title for kind in CONTESTANTS.values()]
    assert [line.partition(": ")[2] for line in said] == titles * 2
    for name, standing in standings.items():
        both = {"tcp_bit_per_s", "tcp_cpu_s_per_gb", "others_load", "rtt_tcp_p50_s", "rtt_tcp_p99_s"}
        assert both <= set(standing.samples)
        assert ("udp_512_per_s" in standing.samples) == CONTESTANTS[name].datagrams
        assert all(len(samples) == 2 for samples in standing.samples.values())
    assert min(standings["alagg-redundant"].samples["memory_bytes"]) > 1 << 20


@pytest.mark.netns
def test_mptcp_uses_both_links_or_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mptcp, "set_up", lambda _: None)
    with pytest.raises(LabError, match="kernel MPTCP: a link lies idle"):
        end_to_end.run(["mptcp"], TINY, lambda _: None)


def test_a_failed_trial_is_tried_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [Trial(100, 1, 50, 1), Trial(100, 1, 90, 1), Trial(100, 1, 100, 1)]
    left = iter(trials)
    monkeypatch.setattr(end_to_end, "try_rate", lambda *_: next(left))
    contestant = CONTESTANTS["veth"]()
    assert end_to_end.try_twice(contestant, 64, 1.0, 100) is trials[1]
    assert end_to_end.try_twice(contestant, 64, 1.0, 100) is trials[2]
