"""The long transfer, made short."""

from __future__ import annotations

from typing import Any

import pytest

from bench import soak
from bench.soak import SAMPLES, TENTH, growth


@pytest.mark.netns
def test_memory_is_looked_at_all_the_time() -> None:
    found = soak.run(1 / 60, lambda _: None)
    assert len(found["memory_bytes"]) == SAMPLES
    assert min(found["memory_bytes"]) > 1 << 20
    assert found["bit_per_s"] > 0


def test_growth_begins_after_the_warm_up() -> None:
    def held(*memory: int) -> dict[str, Any]:
        return {"memory_bytes": memory}

    flat = [10_000_000] * TENTH + [50_000_000] * (SAMPLES - TENTH)
    assert growth(held(*flat)) == 1.0
    # Neither does a moment's peak at the end count.
    assert growth(held(*flat[:-1], 90_000_000)) == 1.0
    assert growth(held(*range(SAMPLES, 3 * SAMPLES, 2))) > 2
