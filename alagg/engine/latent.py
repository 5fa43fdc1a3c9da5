"""The latent-error check (IEEE 802.1CB, 7.4.4): is the redundancy still there, although nothing is lost?"""

from __future__ import annotations

from typing import Final

PERIOD: Final = 10.0
"""Seconds over which copies are counted."""
MINIMUM: Final = 20
"""Packets that a period needs to say anything."""
TOLERANCE: Final = 0.5
"""Share of one link's copies that may be missing before it counts as an error."""


class LatentErrorCheck:
    """Compares the copies that came with those that the links should have brought."""

    def __init__(self, now: float) -> None:
        """Start a period at `now`, in seconds."""
        self.errors = 0
        """Periods in which copies were missing."""
        self.expected = 0
        self.came = 0
        self._copies = 0
        """The fewest copies that could be expected during the period; 0 before its first look."""
        self._next = now + PERIOD
        self._passed = 0
        self._discarded = 0

    def check(self, passed: int, discarded: int, copies: int, now: float) -> bool:
        """Take the counters as they are now; tell whether a period ended in which copies were missing.

        Args:
            passed: packets that were passed so far.
            discarded: copies that were discarded so far.
            copies: how many copies the peer sends of each packet over the links that work now; 0 for unknown.
            now: the time in seconds.
        """
        if copies:
            self._copies = min(self._copies, copies) if self._copies else copies
        if now < self._next:
            return False
        packets, self.came = passed - self._passed, discarded - self._discarded
        self._passed, self._discarded, self._next = passed, discarded, now + PERIOD
        self.expected = packets * (max(self._copies, 1) - 1)
        self._copies = 0
        missing = self.expected - self.came
        wrong = packets >= MINIMUM and missing > TOLERANCE * packets
        self.errors += wrong
        return wrong
