"""Losses end to end, with the emulator, for fractions of a second."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from bench import loss_net
from bench.contestants import CONTESTANTS
from bench.loss_net import LOSSES, NAMES, Lossy


def test_what_is_to_be_expected() -> None:
    def expected(name: str) -> float | None:
        return Lossy(name, CONTESTANTS[name](), 0.05).expected

    assert [expected(name) for name in NAMES] == [0.05, None, pytest.approx(0.0025), 0.05]


@pytest.mark.netns
def test_links_lose_only_in_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_net, "SECONDS", 0.6)
    monkeypatch.setattr(loss_net, "NAMES", ("veth", "pigeon"))
    monkeypatch.setattr(loss_net, "LOSSES", (0.1, 0.0))
    failures: list[str] = []
    measured = loss_net.run(Console(quiet=True), failures.append, quick=True)
    assert failures == ["pigeon is not measured with losses: KeyError: 'pigeon'"]
    lossy, clean = json.loads(json.dumps(loss_net.values(measured)))
    # A generator that waited for a processor sends a burst, of which a shaped link drops a little.
    assert lossy["lost"][0] == pytest.approx(0.1, abs=0.05)
    assert clean["lost"][0] < 0.04
    assert min(lossy["bit_per_s"][0], clean["bit_per_s"][0]) > 0
    assert LOSSES[0] == 0.0
