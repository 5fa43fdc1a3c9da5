"""Outgoing: what becomes of the frames that this node sends on a link, from the peer's reports.

Rates are delivery-rate samples (draft-cheng-iccrg-delivery-rate-estimation): bytes between two arrivals, by the time
between these. A link that builds up a queue shows what it can carry; one that has none may be able to carry more, so
what it delivers can only raise the estimate.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg.engine.header import SIZE
from alagg.engine.lane import share_lost
from alagg.engine.sequence import HALF, MASK, extend

if TYPE_CHECKING:
    from alagg.engine.control import Report
    from alagg.engine.link import Link

PERIOD: Final = 3.0
"""Seconds over which loss is measured, at least."""
STEP: Final = 0.05
"""Seconds between two reports that are remembered."""
WINDOW: Final = 0.2
"""Seconds between the two arrivals of a sample, at least."""
FULL_FOR: Final = 1.0
"""Seconds in which the greatest sample of a full link is what it can carry."""
QUEUE: Final = 0.002
"""Seconds that a round trip is longer than the shortest when frames queue up, besides an eighth of that."""
SILENCE: Final = 3.0
"""Seconds without a report that can be true after which one may begin to count anew: the peer was restarted."""
MAX_BYTES: Final = 1 << 48
"""Bytes beyond which no peer has come within one of its lives."""


SPARE: Final = 64
"""Frames of a report that may be copies made on the way, besides one of each."""
MAX_FRAME: Final = 0xFFFF + SIZE
"""Bytes of the largest frame."""


class Sample(NamedTuple):
    """What one report has said."""

    time: float
    """When it came, in seconds."""
    arrived: float
    """When the last frame that it speaks of had come, on this node's clock and some delay later."""
    highest: int
    received: int
    received_bytes: int


class Outgoing:
    """What is known of one link's way to the peer."""

    def __init__(self, link: Link) -> None:
        """Nothing is known yet."""
        self.loss: float | None = None
        """Share of the frames that were lost of late, 0 to 1; None before it is known."""
        self.expected = 0
        """How many frames that is a share of."""
        self.rate = 0.0
        """Bytes a second that arrive."""
        self._link = link
        self._samples: deque[Sample] = deque(maxlen=int(PERIOD / STEP) + 2)
        self._newest: Sample | None = None
        self._full: deque[tuple[float, float]] = deque(maxlen=64)
        """When the link was full, and what arrived a second."""

    @property
    def newest(self) -> Sample | None:
        """What the last report has said; None before the first."""
        return self._newest

    def take(self, report: Report, now: float) -> bool:
        """Take a report; False for one that cannot be true, which changes nothing."""
        sample = self._sample(report, now)
        if not self._is_plausible(sample):
            if self._newest is None or now - self._newest.time < SILENCE or not self._was_sent(report.highest):
                return False
            self._samples.clear()
            sample = Sample(now, sample.arrived, report.highest, report.received, report.received_bytes)
        self._newest = sample
        if self._samples and now - self._samples[-1].time < STEP:
            return True
        self._samples.append(sample)
        while len(self._samples) > 2 and now - self._samples[1].time > PERIOD:
            self._samples.popleft()
        self._measure(now)
        return True

    def _sample(self, report: Report, now: float) -> Sample:
        newest = self._newest
        highest = extend(report.highest, newest.highest if newest else report.highest)
        received = extend(report.received, newest.received if newest else report.received)
        return Sample(now, now - report.age / 1e6, highest, received, report.received_bytes)

    def _is_plausible(self, sample: Sample) -> bool:
        """Tell whether a report speaks of what was sent, and of no less than the one before it."""
        if not self._was_sent(sample.highest & MASK) or sample.received_bytes > MAX_BYTES:
            return False
        last = self._newest
        if last is None:
            return True
        frames, came = sample.received - last.received, sample.received_bytes - last.received_bytes
        ahead = sample.highest - last.highest
        most = 2 * ahead + SPARE
        return ahead >= 0 and 0 <= frames <= most and 0 <= came <= most * MAX_FRAME

    def _was_sent(self, number: int) -> bool:
        """Tell whether a link sequence was given to a frame not too long ago."""
        return 0 < ((self._link.link_sequence - number) & MASK) < HALF

    def _measure(self, now: float) -> None:
        first, last = self._samples[0], self._samples[-1]
        if last is first:
            return
        self.expected = last.highest - first.highest
        self.loss = self._link.loss = share_lost(last.received - first.received, self.expected)
        since = next((one for one in reversed(self._samples) if last.arrived - one.arrived >= WINDOW), first)
        span = last.arrived - since.arrived
        if span < STEP:
            return
        self.rate = (last.received_bytes - since.received_bytes) / span
        self._link.capacity = self._capacity(now)

    def _capacity(self, now: float) -> float:
        link = self._link
        if link.rtt - link.base_rtt <= QUEUE + link.base_rtt / 8:
            return max(link.capacity, self.rate)
        self._full.append((now, self.rate))
        while now - self._full[0][0] > FULL_FOR:
            self._full.popleft()
        return max(rate for _, rate in self._full)
