"""The long transfer, made short."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from bench import soak
from bench.soak import SAMPLES, TENTH, Soak


@pytest.mark.netns
def test_memory_is_looked_at_all_the_time() -> None:
    found = soak.run(Console(quiet=True), 1 / 60)
    assert len(found.held) == SAMPLES
    assert min(found.held) > 1 << 20
    assert found.bit_per_s > 0


def test_growth_begins_after_the_warm_up() -> None:
    held = [10_000_000] * TENTH + [50_000_000] * (SAMPLES - TENTH)
    assert Soak(10, 1e9, tuple(held)).growth == 0
    # Neither does a moment's peak at the end count.
    assert Soak(10, 1e9, (*held[:-1], 90_000_000)).growth == 0
    grown = Soak(10, 1e9, tuple(range(0, SAMPLES * 1_000_000, 1_000_000)))
    assert grown.growth == 48_000_000
    values = json.loads(json.dumps(grown.values()))
    assert (values["growth_bytes"], len(values["memory_bytes"])) == (48_000_000, SAMPLES)
