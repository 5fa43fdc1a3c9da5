"""What a link delivers: its rate, its round trip, and how much it may carry unacknowledged.

The limit follows from the two: twice rate times round trip, thrice until the rate first stops growing. So a link that
can do more shows it within a round trip, and a queue is hardly longer than one. Until then the rate may also be that
of a `train`, so that a long way is filled after a few round trips. The samples are those of Linux's
tcp_rate.c: delivered bytes over the longer of the sending and the acknowledging interval; the greatest of ten round
trips counts. Every ten seconds the limit falls below rate times round trip for two round trips: only then an empty
queue, thus the true round trip, can be seen.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from alagg.stream.core.train import Train

INITIAL: Final = 1 << 15
"""Bytes that a link carries in the first round trip."""
FIRST_PATIENCE: Final = 1.0
"""Seconds after which a segment is late while the rate is unknown."""
SLACK: Final = 0.005
"""Seconds that are added to a round trip: what programs need to be woken."""
ROUNDS: Final = 10
"""Round trips that a rate sample counts."""
RATE_WINDOW: Final = 0.5
"""Seconds that a rate sample counts at least."""
ROUND_TRIP_WINDOW: Final = 10.0
"""Seconds that the least round trip counts."""
DRAINED: Final = 0.75
"""Part of rate times round trip that stays while the round trip is measured anew."""
GAIN: Final = 2.0
FIRST_GAIN: Final = 3.0
STEADY: Final = 3
"""Round trips without a quarter more, after which the rate is taken as found."""
FOUND: Final = 0.9
"""Part of a measured train's rate, from which on the rate is taken as found."""
MIN_SEGMENT: Final = 2048
MAX_SEGMENT: Final = 1 << 16
SEGMENT_TIME: Final = 0.01
"""Seconds that a segment should take on its link."""

MAX_BURST: Final = 1 << 18
BURST_TIME: Final = 0.05
"""Seconds that what a link gets in one go takes: more would be bound to it while others may soon have room."""


class Estimate:
    """The estimates of one direction of one link."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.round_trip = 0.0
        """The least of late, seconds; 0 means unknown."""
        self.smoothed = 0.0
        self.variation = 0.0
        self.delivered = 0
        """Bytes acknowledged so far."""
        self.delivered_at = 0.0
        self.rate = 0.0
        """Bytes per second; 0 means unknown."""
        self._rates: deque[tuple[float, float]] = deque()
        self._round_trip_at = 0.0
        self._draining_until = 0.0
        self._drain_least = 0.0
        self._gain = FIRST_GAIN
        self._round_until = 0.0
        self._round_rate = 0.0
        self._steady = 0
        self.train = Train()
        self.guess = 0.0
        """The rate, or where there was no sample what the first round trip will carry; bytes per second."""
        self.limit = INITIAL
        """Bytes that the link may carry unacknowledged."""
        self.segment = INITIAL >> 2
        """Bytes of the stream that a frame should have: ten milliseconds, from 2 to 64 KiB."""
        self.burst = MIN_SEGMENT
        """Bytes that the link may get before the others have their turn."""
        self.renew()

    def trip(self, seconds: float, now: float) -> None:
        """Take a round trip that was measured."""
        seconds = max(seconds, 1e-5)
        if not self.smoothed:
            self.smoothed, self.variation = seconds, seconds / 2
        else:
            self.variation += (abs(seconds - self.smoothed) - self.variation) / 4
            self.smoothed += (seconds - self.smoothed) / 8
        if not self.round_trip or seconds <= self.round_trip * 1.02:
            self.round_trip = min(seconds, self.round_trip or seconds)
            self._round_trip_at, self._draining_until = now, 0.0
        elif self._draining_until:
            self._drain(seconds, now)
        elif now - self._round_trip_at > max(ROUND_TRIP_WINDOW, 20 * self.round_trip):
            self._draining_until = now + 2 * self.smoothed
            self._drain_least = seconds
        self.renew()

    def _drain(self, seconds: float, now: float) -> None:
        self._drain_least = min(self._drain_least, seconds)
        if now >= self._draining_until:
            self.round_trip = self._drain_least
            self._round_trip_at, self._draining_until = now, 0.0

    def sample(self, rate: float, now: float, *, limited: bool) -> None:
        """Take a rate that was measured; `limited`: the program had not more to send, so it only counts upwards."""
        if limited and rate < self.rate:
            return
        rates = self._rates
        oldest = now - max(RATE_WINDOW, ROUNDS * self.smoothed)
        while rates and rates[0][0] < oldest:
            rates.popleft()
        while rates and rates[-1][1] <= rate:
            rates.pop()
        rates.append((now, rate))
        self.rate = rates[0][1]
        if self.begins and not limited and now >= self._round_until:
            self._compare(now)
        self.renew()

    def _compare(self, now: float) -> None:
        """See, once in a round trip, whether the rate still grows."""
        self._round_until = now + self.smoothed
        if self.train.measured and self.rate >= FOUND * self.train.rate:
            self._gain = GAIN
            return
        if self.rate >= 1.25 * self._round_rate:
            self._round_rate, self._steady = self.rate, 0
            return
        self._steady += 1
        if self._steady >= STEADY:
            self._gain = GAIN

    @property
    def begins(self) -> bool:
        """Tell whether the rate still grows for the first time."""
        return self._gain > GAIN

    def renew(self) -> None:
        """Derive anew what is asked far more often than anything is measured."""
        rate = max(self.rate, self.train.rate) if self.begins else self.rate
        self.guess = guess = rate or INITIAL / max(self.round_trip, SLACK)
        self.burst = min(max(int(guess * BURST_TIME), MIN_SEGMENT), MAX_BURST)
        if rate:
            self.segment = min(max(int(guess * SEGMENT_TIME), MIN_SEGMENT), MAX_SEGMENT)
        if not self.round_trip:
            self.limit = INITIAL
        elif self._draining_until:
            self.limit = int(DRAINED * guess * self.round_trip)
        else:
            self.limit = int(self._gain * guess * (self.round_trip + SLACK))

    def arrival(self, unacknowledged: int, size: int) -> float:
        """Give the seconds until `size` more bytes would be at the other end."""
        rate = self.guess
        queue = max(unacknowledged - rate * self.round_trip, 0.0)
        return (queue + size) / rate + self.round_trip / 2

    def due(self, unacknowledged: int, patience: float) -> float:
        """Give the seconds after which what is sent now is late, its acknowledgement included."""
        if not self.rate:
            return FIRST_PATIENCE
        rate = self.rate
        queue = max(unacknowledged - rate * self.round_trip, 0.0)
        return max(patience, 1.5 * (queue / rate + self.round_trip) + 4 * self.variation)
