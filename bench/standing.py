"""A contestant's figures, round by round."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.contestants import CEILING

if TYPE_CHECKING:
    from bench.contestants import Contestant


@dataclass
class Standing:
    """One contestant's figures so far."""

    contestant: Contestant
    rounds: dict[str, dict[int, float]] = field(default_factory=dict)
    """By the figure's name and the number of the turn; turns that failed have none."""
    capped: Counter[str] = field(default_factory=Counter)
    """In how many rounds the generator, not the path, limited a figure."""
    round: int = 0
    """The number of the present turn: what was measured in turns of one number is compared."""
    failed: int = 0
    """Rounds that were broken off."""

    def add(self, name: str, value: float) -> None:
        """Note one figure of this round."""
        self.rounds.setdefault(name, {})[self.round] = value

    def samples(self, name: str) -> list[float]:
        """Give a figure, round after round; nothing if it was not measured."""
        return list(self.rounds.get(name, {}).values())

    def last(self, name: str) -> float | None:
        """Give a figure of the last round that had it."""
        samples = self.samples(name)
        return samples[-1] if samples else None


def beside(one: Standing, other: Standing, name: str) -> list[tuple[float, float]]:
    """Give a figure of two contestants, pair by pair, in the rounds in which both have it."""
    mine, theirs = one.rounds.get(name, {}), other.rounds.get(name, {})
    return [(mine[number], theirs[number]) for number in mine if number in theirs]


def add_differences(standings: dict[str, Standing]) -> None:
    """Add the round-trip time beyond the bare link's, round by round."""
    if CEILING not in standings:
        return
    for name, base in list(standings[CEILING].rounds.items()):
        if name.startswith("rtt_"):
            for standing in standings.values():
                own = standing.rounds.get(name, {})
                added = {number: value - base[number] for number, value in own.items() if number in base}
                if added:
                    standing.rounds[f"added_{name}"] = added
