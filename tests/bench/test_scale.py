"""A node with many peers, made small."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg.config import load
from bench import scale

if TYPE_CHECKING:
    from pathlib import Path


def test_further_peers_are_valid_and_differ(tmp_path: Path) -> None:
    file = tmp_path / "node.cfg"
    file.write_text(scale.others(999), encoding="utf-8")
    config = load(file)
    assert len(config.peers) == 999
    assert len({(link.interface, link.mac) for link in config.links}) == 999 * scale.LINKS


@pytest.mark.netns
def test_one_peer_answers_and_the_others_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"SETTLE": 0.0, "IDLE": 0.3, "BETWEEN": 0.1}.items():
        monkeypatch.setattr(scale, name, seconds)
    monkeypatch.setattr(scale, "ASKED", 2)
    said: list[str] = []
    alone, crowd = scale.run(said.append, 20)
    assert said == ["a node with 1 peers ...", "a node with 20 peers ..."]
    for one in (alone, crowd):
        assert 0 < one["rtt_p50_s"] <= one["rtt_max_s"]
        assert one["status_s"] > 0
        assert 0 <= one["idle_cpu"] < 4
