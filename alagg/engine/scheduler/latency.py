"""Latency: the fastest link, until what waits for it would make the next one faster."""

from __future__ import annotations

from typing import Final

from alagg.engine.flowqueue import TARGET
from alagg.engine.scheduler.arrival import EarliestArrival, Way

LONGEST: Final = 0.1
"""Seconds that packets may wait for a fast link besides, at most."""


class Latency(EarliestArrival):
    """Uses a slower link when the packets that wait would take longer to leave on the faster ones (ECF)."""

    def _opens(self, way: Way) -> bool:
        return self.waiting > way.skew * way.sum_before

    def _is_worth(self, way: Way) -> bool:
        return way.skew <= LONGEST

    def _patience(self, skew: float) -> float:
        return skew + TARGET if skew else 0.0
