"""Finds the highest rate at which next to nothing is lost, with few trials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_LOSS: Final = 0.005
"""Share of the datagrams that may be lost."""
MAX_STRETCH: Final = 1.05
"""How much longer than the sending the arriving may take: beyond it a buffer filled up, and time hid the loss."""
STRETCH_GRACE: Final = 0.02
"""Seconds that the arriving may take longer in any case."""
FULL_SPEED: Final = 0.95
"""A generator that reached less than this share of the wanted rate is at its own limit."""


@dataclass(frozen=True)
class Trial:
    """What became of datagrams that were sent at a steady rate."""

    sent: int
    send_seconds: float
    received: int
    receive_seconds: float

    @property
    def offered(self) -> float:
        """Datagrams a second that were really sent."""
        return self.sent / self.send_seconds if self.send_seconds else 0.0

    @property
    def carried(self) -> bool:
        """Whether they arrived, and as fast as they were sent."""
        in_time = self.receive_seconds <= self.send_seconds * MAX_STRETCH + STRETCH_GRACE
        return in_time and self.received >= self.sent * (1 - MAX_LOSS)


@dataclass(frozen=True)
class Rate:
    """The outcome of a search."""

    rate: float
    """The highest rate that was carried; 0 if none was."""
    capped: bool = False
    """The generator could send no faster: the true rate may be higher."""


def search(try_rate: Callable[[float], Trial], guess: float, *, step: float, precision: float, trials: int) -> Rate:
    """Bracket the limit around a guess, then halve the bracket.

    Args:
        try_rate: sends at a rate and tells what became of it.
        guess: where the limit is expected.
        step: the factor by which the bracket grows at first, above 1; it grows itself.
        precision: the bracket's width at which the search ends, such as 0.05 for 5 %.
        trials: how many trials there are at most.
    """
    low, high, rate = 0.0, math.inf, guess
    for _ in range(trials):
        trial = try_rate(rate)
        if trial.carried:
            low = max(low, trial.offered)
            if trial.offered < rate * FULL_SPEED:
                return Rate(low, capped=True)
        else:
            high = min(high, rate)
        if high <= low * (1 + precision):
            break
        if low and high < math.inf:
            rate = math.sqrt(low * high)
        else:
            rate = rate * step if low else rate / step
            step **= 1.5
    return Rate(low)
