"""Adaptive: all links that are worth it, as one link with their sum; a slow one only for what fills the fast ones."""

from __future__ import annotations

from typing import Final

from alagg.engine.scheduler.arrival import EarliestArrival, Way

WORTH: Final = 0.2
"""Seconds of skew that are accepted for a link that doubles the rate; a tenth more rate may cost a tenth of it."""


class Adaptive(EarliestArrival):
    """Uses a slower link once the faster ones have been full for as long as it is slower.

    What has lasted that long is taken to last that long again: then what the slower link is given now arrives no
    later than what will wait for the faster ones. A link that adds little to the rate and much to the delay is left
    alone.
    """

    def _opens(self, way: Way) -> bool:
        return self._pressed >= way.skew

    def _is_worth(self, way: Way) -> bool:
        return way.skew * way.sum_before <= WORTH * way.rate
