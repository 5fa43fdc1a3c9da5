"""Puts repeats together: medians, their spread, and ratios within one round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Summary:
    """What several measurements of one thing say."""

    median: float
    low: float
    high: float
    spread: float
    """Half the distance between the quartiles, as a share of the median: 0.05 reads as "plus or minus 5 %"."""


def summarise(samples: Sequence[float]) -> Summary:
    """Sum up one or more measurements."""
    median = statistics.median(samples)
    if len(samples) < 2 or not median:
        return Summary(median, min(samples), max(samples), 0.0)
    first, _, third = statistics.quantiles(samples, n=4, method="inclusive")
    return Summary(median, min(samples), max(samples), (third - first) / 2 / abs(median))


def ratio(samples: Sequence[float], reference: Sequence[float]) -> float:
    """Give the median of the ratios round by round: what slows a whole round down does not show in it.

    Raises:
        ValueError: the two do not have the same number of rounds.
    """
    return statistics.median(one / other for one, other in zip(samples, reference, strict=True))
