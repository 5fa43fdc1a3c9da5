"""Serial number arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.sequence import HALF, MASK, distance

SEQUENCES = st.integers(0, MASK)


@pytest.mark.parametrize(
    ("to", "origin", "expected"),
    [
        (5, 5, 0),
        (6, 5, 1),
        (5, 6, -1),
        (0, MASK, 1),
        (MASK, 0, -1),
        (2, MASK - 1, 4),
        (HALF - 1, 0, HALF - 1),
        (HALF, 0, -HALF),
        (0, HALF, -HALF),
        (HALF + 1, 0, -HALF + 1),
    ],
)
def test_distance(to: int, origin: int, expected: int) -> None:
    assert distance(to, origin) == expected


@given(SEQUENCES, st.integers(-HALF, HALF - 1))
def test_distance_undoes_an_advance_across_the_wrap(origin: int, step: int) -> None:
    assert distance((origin + step) & MASK, origin) == step
