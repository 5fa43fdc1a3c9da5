"""The search for the highest rate, against paths whose limit is known."""

from __future__ import annotations

import pytest

from bench.search import Rate, Trial, search


class Path:
    """Carries so many datagrams a second, and remembers what it was asked."""

    def __init__(self, limit: float, generator: float = 1e9, seconds: float = 1.0) -> None:
        self.limit = limit
        self.generator = generator
        self.seconds = seconds
        self.asked: list[float] = []

    def __call__(self, rate: float) -> Trial:
        self.asked.append(rate)
        sent = int(min(rate, self.generator) * self.seconds)
        received = int(min(sent, self.limit * self.seconds))
        return Trial(sent, self.seconds, received, self.seconds)


@pytest.mark.parametrize("guess", [500, 9_000, 10_000, 12_000, 90_000])
def test_finds_the_limit_from_any_guess(guess: float) -> None:
    path = Path(10_000)
    found = search(path, guess, step=1.4, precision=0.02, trials=30)
    # Half a per cent may be lost, so a little more than the limit is carried.
    assert found.rate == pytest.approx(10_000, rel=0.03)
    assert not found.capped


def test_a_good_guess_needs_few_trials() -> None:
    path = Path(10_000)
    search(path, 9_900, step=1.1, precision=0.1, trials=30)
    assert len(path.asked) == 2


def test_never_takes_more_trials_than_allowed() -> None:
    path = Path(10_000)
    assert search(path, 100, step=1.1, precision=0.001, trials=5).rate <= 10_050
    assert len(path.asked) == 5


def test_a_generator_at_its_end_is_said() -> None:
    path = Path(10_000, generator=5_000)
    assert search(path, 4_000, step=1.5, precision=0.02, trials=30) == Rate(5_000, capped=True)


def test_a_path_that_carries_nothing_gives_zero() -> None:
    assert search(Path(0), 1_000, step=2, precision=0.02, trials=4) == Rate(0.0)


def test_a_few_losses_are_no_failure() -> None:
    assert Trial(1000, 1.0, 995, 1.0).carried
    assert not Trial(1000, 1.0, 994, 1.0).carried


def test_a_buffer_that_fills_up_is_a_failure() -> None:
    assert Trial(1000, 1.0, 1000, 1.07).carried
    assert not Trial(1000, 1.0, 1000, 1.08).carried
