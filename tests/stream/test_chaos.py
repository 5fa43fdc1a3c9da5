"""Links die and return at random; not a byte is wrong, and nothing hangs."""

from __future__ import annotations

import pytest

from tests.stream import chaos


@pytest.mark.parametrize("seed", [*range(12), 993])
def test_all_arrives(seed: int) -> None:
    chaos.run(seed).check()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_all_arrives_a_thousand_times() -> None:
    for seed in range(1000):
        chaos.run(seed).check()
