"""Gauge: how fast one link carries frames, how long its way is, and how much of what was sent still waits on it.

All of it is measured, from the peer's reports; nothing is configured:

- *the delay* of a frame: when it came by the peer's clock, less when it was sent by ours. The clocks do not agree, so
  only differences mean something: to the shortest of late, that is the queue; to another link's, that is the skew;
- *the rate*: bytes that came, by the time in which they came. While a queue stands the link was busy, so this is what
  it carries; without one it may carry more, so this can only raise the estimate. Losses say nothing of the rate;
- *the moment at which the link will be done* with all that was sent, at that rate; each report sets it right.

A link has room while it will be done soon: so its queue stays some milliseconds long, whatever buffer it has, and it
is never idle while something waits. Now and then the queue is let run empty, to see the shortest delay again.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg.engine.sequence import HALF, MASK

if TYPE_CHECKING:
    from alagg.engine.control import Report
    from alagg.engine.link import Link

START: Final = 1.25e6
"""Bytes a second that an unknown link is first given (10 Mbit/s); without it nothing would ever be measured."""
LEAST: Final = 4000.0
"""Bytes a second below which no estimate falls."""
FIRST: Final = 16
"""Frames on their way before the first report."""
TARGET: Final = 0.006
"""Seconds of queue that a link is kept at while packets wait, or ..."""
FRAMES: Final = 3
"""... so many frames, if these take longer."""
RAMP: Final = 0.02
"""Seconds of queue while the rate is still unknown: what a link is tried with between two reports."""
FRAME: Final = 1500
"""Bytes of a full frame."""
SPAN: Final = 0.04
"""Seconds between the two arrivals of a sample of the rate, at least, and ..."""
SPAN_FRAMES: Final = 8
"""... so many frames."""
LONGEST_SPAN: Final = 0.5
"""Seconds of a sample on a slow link, at most."""
BUSY: Final = 0.0015
"""Seconds of queue, and a frame's time, from which on a link was surely busy."""
BEST_OF: Final = 5
"""Samples of a busy link of which the greatest counts: what disturbs them only makes them smaller."""
GAIN: Final = 1.2
"""How much faster than its rate a link may be given frames, as long as its queue allows: so its rate is found."""
GAIN_UNKNOWN: Final = 2.0
"""The same before its rate is known (slow start)."""
LOSSY: Final = 0.01
"""Share of frames lost from which on a link that shows no queue is not pushed, but now and then."""
TRUST: Final = 0.9
"""How much of the loss is taken for the link's own, so that what was lost counts as carried."""
MOST_LOSS: Final = 0.2
"""More than this is never made up for."""
PUSH: Final = 0.1
"""Seconds for which a lossy link is pushed, one time in eight."""
CORRECTION: Final = 0.5
"""Share of an error of the prediction that a report sets right."""
PERIOD: Final = 10.0
"""Seconds after which the shortest delay is looked for anew."""
DRAIN: Final = 0.08
"""Seconds for which the queue is let run empty, once a period, unless it was anyhow."""
PATIENCE: Final = 0.15
"""Seconds besides a round trip without a report on what is on its way, after which the link gets nothing more."""
INTERVALS: Final = 4
"""The same in usual intervals of reports, where these are longer."""
JUMP: Final = 5.0
"""Seconds by which no queue grows between two reports: the peer's clock began anew."""
MOST_SENT: Final = 8192
"""Frames on their way that are remembered."""


class Sent(NamedTuple):
    """A frame on its way."""

    number: int
    """Its link sequence."""
    time: float
    """When it left."""
    done: float
    """When the link should be done with it, as predicted then."""
    size: int


class Arrived(NamedTuple):
    """What one report has said."""

    time: float
    """When the last frame came, on the peer's clock."""
    bytes: int
    """Bytes that had come by then."""
    busy: bool


class Clock:
    """What the two hosts' clocks differ by, as all links of a peer see it."""

    def __init__(self) -> None:
        """Nothing is known."""
        self._zero: int | None = None

    def delay(self, arrived: int, sent: float) -> float:
        """Give how long a frame was on its way, in seconds, but for what is the same for all frames."""
        difference = arrived - round(sent * 1e6)
        if self._zero is None:
            self._zero = difference
        return (((difference - self._zero + HALF) & MASK) - HALF) / 1e6


class Gauge:
    """What is known of one link's way to the peer, and what is on it."""

    def __init__(self, link: Link, clock: Clock) -> None:
        """Take the link, and what all links of the peer measure with."""
        self.link = link
        self.rate = START
        """Bytes a second that it carries."""
        self.known = False
        """Whether that was seen: its queue once filled."""
        self.seen = 0.0
        """The most that came of it in a second's time, as samples have it; 0 before the first."""
        self.delay: float | None = None
        """The shortest delay of late, in seconds, to be compared with other links' only; None before the first."""
        self.blind = False
        """Whether reports have ceased: the link gets a few frames now and then, if there is no better one."""
        self.queue = 0.0
        """Seconds that the last frame spoken of has waited on the link."""
        self.in_flight = 0
        """Bytes on their way."""
        self.sent: deque[Sent] = deque()
        """Frames on their way, the oldest first."""
        self._clock = clock
        self._done = 0.0
        """When the link will be done with all that was sent, but for `_shift`."""
        self._shift = 0.0
        """By how much the predictions were set right so far."""
        self._came = 0
        """Frames that were spoken of before the first sample: so many more may be on their way (slow start)."""
        self._limited = float("-inf")
        """When it had no room for more, the last time."""
        self._reported = float("-inf")
        self._interval = 0.02
        """Seconds between two reports, smoothed."""
        self._samples: deque[Arrived] = deque(maxlen=64)
        self._best: deque[float] = deque(maxlen=BEST_OF)
        self._shortest = [float("inf"), float("inf")]
        """The shortest delay of this period and of the one before."""
        self._since: float | None = None
        self._least_queue = 0.0
        """The shortest queue of this period."""
        self._drain_until = float("-inf")

    def backlog(self, now: float) -> float:
        """Give the seconds until the link is done with all that was sent."""
        return max(self._done + self._shift - now, 0.0)

    def target(self, now: float) -> float:
        """Give the seconds of queue that it may have."""
        if not self.known:
            return RAMP
        return 0.0 if now < self._drain_until else max(TARGET, FRAMES * FRAME / self.rate)

    def has_room(self, now: float, waiting: int = 0) -> bool:
        """Tell whether another frame may be given to it, after `waiting` bytes that it has been given already."""
        if self.is_stalled(now) or not self.seen:
            most = FIRST if self.blind else FIRST + self._came
            has_room = len(self.sent) * FRAME + waiting < most * FRAME
        else:
            is_short = self.backlog(now) + waiting / self.rate < self.target(now)
            has_room = is_short or not (self.sent or waiting)
        if not has_room:
            self._limited = now
        return has_room

    def pace(self, now: float) -> float:
        """Give the bytes a second at which frames may leave."""
        if not self.known:
            return self.rate * GAIN_UNKNOWN
        if self.link.loss > LOSSY and self.queue < BUSY and int(now / PUSH) & 7:
            return self.rate
        return self.rate * GAIN

    def is_stalled(self, now: float) -> bool:
        """Tell whether a report on what is on its way is overdue; none is awaited any more then."""
        if self.sent:
            patience = max(PATIENCE, INTERVALS * self._interval) + self.link.rtt
            if now - max(self._reported, self.sent[0].time) > patience:
                self.blind = True
                self.forget_sent()
        return self.blind

    def send(self, number: int, size: int, now: float) -> None:
        """Note that a frame left, of so many bytes with its header."""
        done = max(self._done, now - self._shift) + size / self.rate
        self._done = done
        self.sent.append(Sent(number, now, done, size))
        self.in_flight += size
        if len(self.sent) > MOST_SENT:
            self.in_flight -= self.sent.popleft().size

    def take(self, report: Report, now: float) -> list[Sent]:
        """Learn from a report that can be true; give the frames that it speaks of, come or not."""
        self.blind = False
        passed: list[Sent] = []
        while self.sent and ((report.highest - self.sent[0].number) & MASK) < HALF:
            one = self.sent.popleft()
            self.in_flight -= one.size
            passed.append(one)
        if not passed:
            return passed
        if not self.seen:
            self._came += len(passed)
        self._interval += (min(now - self._reported, 1.0) - self._interval) / 8
        self._reported = now
        if passed[-1].number == report.highest:
            self._measure_delay(self._clock.delay(report.arrived, passed[-1].time), now)
            self._correct(passed[-1], now)
        self._measure_rate(report, now)
        return passed

    def forget_sent(self) -> list[Sent]:
        """Give up what is on its way: the link has gone."""
        sent, self.in_flight = list(self.sent), 0
        self.sent.clear()
        return sent

    def _measure_delay(self, delay: float, now: float) -> None:
        if self._since is None or (self.delay is not None and abs(delay - self.delay) > JUMP):
            self._shortest, self._since = [delay, delay], now
        elif now - self._since >= PERIOD:
            self._turn(now)
        self._shortest[0] = min(self._shortest[0], delay)
        self.delay = min(self._shortest)
        self.queue = delay - self.delay
        self._least_queue = min(self._least_queue, self.queue)

    def _turn(self, now: float) -> None:
        """Begin another period; if the queue was never empty in the last one, it is now, for a moment."""
        if self._least_queue > BUSY:
            self._drain_until = now + DRAIN + self.backlog(now)
        self._shortest, self._since = [float("inf"), self._shortest[0]], now
        self._least_queue = float("inf")

    def _correct(self, last: Sent, now: float) -> None:
        """Compare what was predicted of a frame with what became of it."""
        error = last.time + self.queue - (last.done + self._shift)
        self._shift += error * (CORRECTION if self.known else 1.0)
        if not self.sent:
            self._done = min(self._done, now - self._shift)

    def _measure_rate(self, report: Report, now: float) -> None:
        time = self._clock.delay(report.arrived, 0.0)
        samples = self._samples
        if samples and not 0 < time - samples[-1].time < JUMP:
            if samples[-1].time == time:
                return
            samples.clear()
        busy = self.queue > BUSY + FRAME / self.rate and now - self._limited < SPAN + self.link.rtt + self._interval
        samples.append(Arrived(time, report.received_bytes, busy))
        span = min(max(SPAN if self.known else SPAN / 4, SPAN_FRAMES * FRAME / self.rate), LONGEST_SPAN)
        first = next((one for one in reversed(samples) if time - one.time >= span), None)
        if first is None or time - first.time > LONGEST_SPAN + span:
            return
        rate = (report.received_bytes - first.bytes) / (time - first.time)
        rate /= 1 - min(self.link.loss, MOST_LOSS) * TRUST
        self.seen = max(self.seen, rate)
        if busy and (first.busy or not self.known):
            self.known = True
            self._best.append(rate)
            self.rate = max(*self._best, LEAST)
        elif rate > self.rate:
            self.rate = rate
            self._best.clear()


