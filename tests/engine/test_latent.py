"""The latent-error check."""

from __future__ import annotations

import pytest

from alagg.engine.latent import MINIMUM, PERIOD, LatentErrorCheck


@pytest.mark.parametrize(
    ("passed", "discarded", "copies", "wrong"),
    [
        (1000, 1000, 2, False),
        (1000, 800, 2, False),
        (1000, 500, 2, False),
        (1000, 499, 2, True),
        (1000, 0, 2, True),
        (1000, 0, 1, False),
        (1000, 2000, 3, False),
        (1000, 1400, 3, True),
        (MINIMUM, 0, 2, True),
        (MINIMUM - 1, 0, 2, False),
        (0, 0, 2, False),
        (1000, 3000, 2, False),
    ],
)
def test_copies_of_a_period(passed: int, discarded: int, copies: int, *, wrong: bool) -> None:
    check = LatentErrorCheck(0.0)
    assert check.check(passed, discarded, copies, PERIOD) is wrong
    assert check.errors == wrong
    assert (check.expected, check.came) == (passed * (copies - 1), discarded)


def test_nothing_is_said_before_the_period_ends() -> None:
    check = LatentErrorCheck(5.0)
    assert not check.check(1000, 0, 2, 5.0 + PERIOD - 0.001)
    assert check.check(1000, 0, 2, 5.0 + PERIOD)


def test_each_period_counts_for_itself() -> None:
    check = LatentErrorCheck(0.0)
    assert check.check(1000, 0, 2, PERIOD)
    assert not check.check(2000, 1000, 2, 2 * PERIOD)
    assert check.check(3000, 1000, 2, 3 * PERIOD)
    assert check.errors == 2
