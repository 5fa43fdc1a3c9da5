"""Reorder: hold packets that came too early, and release them in the order of their numbers.

A packet that is next in line never waits. A gap ends when it is filled, when every live link has passed it (the
packet is surely lost), or when the first packet behind it has waited for `timeout`. Nothing is ever dropped: a
full buffer, a reset and the end release what is held in order, and a packet that comes after its gap was given up
is delivered late.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from alagg.engine.fragment import Piece
from alagg.engine.sequence import HALF, MASK, distance

SLOTS: Final = 8192
"""Packets that one buffer spans: at 4 Gbit/s a skew of about 25 ms."""
MAX_BYTES: Final = 16 << 20
"""Payload bytes that one buffer holds."""
INITIAL_TIMEOUT: Final = 0.05
"""Seconds that a gap is waited for before anything was measured."""
MIN_TIMEOUT: Final = 0.005
"""Seconds; the shortest automatic timeout, so that the host's own jitter does not count as loss."""
MAX_TIMEOUT: Final = 0.5
"""Seconds; the longest automatic timeout: later than this a packet is better lost."""


Item = bytes | Piece
"""What is put in order: a whole packet, or a piece of one."""


class _Arrival:
    """Packets that came at the same time and are held."""

    def __init__(self, time: float, top: int) -> None:
        self.time = time
        self.top = top
        """The highest of their numbers."""


class Lateness:
    """How late packets come that are not lost: the measure for the automatic timeout.

    Smoothed as round-trip times are in RFC 6298, section 2.
    """

    def __init__(self) -> None:
        """Start without a measurement."""
        self.mean: float | None = None
        self.deviation = 0.0

    def sample(self, seconds: float) -> None:
        """Take one measured delay, 0 or more."""
        seconds = min(seconds, 2 * MAX_TIMEOUT)
        if self.mean is None:
            self.mean, self.deviation = seconds, seconds / 2
            return
        self.deviation += (abs(seconds - self.mean) - self.deviation) / 4
        self.mean += (seconds - self.mean) / 8

    @property
    def timeout(self) -> float:
        """Seconds after which a packet is lost rather than late."""
        if self.mean is None:
            return INITIAL_TIMEOUT
        return min(max(self.mean + 4 * self.deviation, MIN_TIMEOUT), MAX_TIMEOUT)


class Reorder:
    """Puts the packets of one lane of a peer back in order."""

    def __init__(self, timeout: float | None) -> None:
        """Take the longest wait in seconds; None for automatic, 0 for no waiting at all."""
        self.lateness = Lateness()
        self.late = 0
        """Packets that came after their gap had been given up."""
        self.given_up = 0
        """Numbers that were no longer waited for."""
        self.overflows = 0
        """How often the buffer was full and released early."""
        self.held = 0
        """Packets that wait now."""
        self.fixed = timeout
        """The configured wait in seconds; None for automatic, 0 for no waiting at all."""
        self._started = False
        self._next = 0
        """The number that is released next, once the first one has come."""
        self._slots: list[Item | None] = [None] * SLOTS
        self._bytes = 0
        self._arrivals: deque[_Arrival] = deque()
        """When held packets came, in the order of arrival; entries of released ones go when they are first."""
        self._latest = _Arrival(0.0, 0)
        """The last of them."""
        self._gap_since = 0.0

    @property
    def timeout(self) -> float:
        """Seconds that a packet waits at most."""
        return self.lateness.timeout if self.fixed is None else self.fixed

    def push(self, sequence: int, item: Item, now: float, out: list[Item]) -> None:
        """Take a packet that was not seen before; append what can be released to `out`."""
        if not self._started:
            self._started, self._next = True, sequence
        ahead = ((sequence - self._next + HALF) & MASK) - HALF
        if ahead == 0:
            out.append(item)
            self._next = (sequence + 1) & MASK
            if self.held:
                self._fill(now, out)
        elif ahead < 0:
            self._late()
            out.append(item)
        elif self.fixed == 0:
            out.append(item)
            self._next = (sequence + 1) & MASK
        else:
            self._hold(sequence, item, ahead, now, out)

    def awaits(self, sequence: int) -> bool:
        """Tell whether a link that has come as far as `sequence` may still bring the number that is released next."""
        return distance(sequence, self._next) < 0

    def passed_by_all(self, sequence: int, now: float, out: list[Item]) -> None:
        """Give up the gaps up to `sequence`: every live link has delivered this number or a later one."""
        while self.held and distance(sequence, self._next) >= 0:
            self._skip_gap(now, out)

    def deadline(self) -> float:
        """Give the time at which `expire` has something to do: never, infinity, when nothing waits."""
        if not self._arrivals:
            return float("inf")
        arrival = self._arrivals[0]
        return arrival.time + self.timeout

    def expire(self, now: float, out: list[Item]) -> None:
        """Release every packet that has waited for the timeout, and all before it."""
        timeout = self.timeout
        while self._arrivals:
            arrival = self._arrivals[0]
            if arrival.time + timeout > now:
                return
            self.passed_by_all(arrival.top, now, out)
            self._forget_released()

    def set_timeout(self, timeout: float | None, out: list[Item]) -> None:
        """Wait this long from now on; what waits is released when that is not at all."""
        self.fixed = timeout
        if timeout == 0:
            self.flush(out)

    def flush(self, out: list[Item]) -> None:
        """Release all that is held, in order, and wait for no number any more: what comes next is next."""
        while self.held:
            self._skip_gap(0.0, out)
        self._arrivals.clear()
        self._started = False

    def _hold(self, sequence: int, item: Item, ahead: int, now: float, out: list[Item]) -> None:
        if ahead >= SLOTS:
            self._make_room(sequence, now, out)
            self.push(sequence, item, now, out)
            return
        if not self.held:
            self._gap_since = now
        self._slots[sequence % SLOTS] = item
        self.held += 1
        self._bytes += len(item)
        self._arrived(sequence, now)
        if self._bytes > MAX_BYTES:
            self.overflows += 1
            while self._bytes > MAX_BYTES:
                self._skip_gap(now, out)

    def _arrived(self, sequence: int, now: float) -> None:
        arrival = self._latest
        if not self._arrivals or arrival.time != now:
            self._latest = _Arrival(now, sequence)
            self._arrivals.append(self._latest)
        elif distance(sequence, arrival.top) > 0:
            arrival.top = sequence

    def _make_room(self, sequence: int, now: float, out: list[Item]) -> None:
        """Release in order until the buffer spans `sequence`; an empty buffer waits for nothing before it."""
        self.overflows += 1
        while self.held and distance(sequence, self._next) >= SLOTS:
            self._skip_gap(now, out)
        if not self.held:
            self.given_up += distance(sequence, self._next)
            self._next = sequence

    def _skip_gap(self, now: float, out: list[Item]) -> None:
        """Give up the numbers before the lowest held packet and release from there on."""
        sequence = self._next
        while self._slots[sequence % SLOTS] is None:
            sequence = (sequence + 1) & MASK
            self.given_up += 1
        self._next = sequence
        self._release(out)
        self._gap_moved(now)

    def _fill(self, now: float, out: list[Item]) -> None:
        """Go on after a gap was filled; how long it took is a measure of lateness."""
        before = self.held
        self._release(out)
        if self.held < before:
            self.lateness.sample(now - self._gap_since)
            self._gap_moved(now)

    def _release(self, out: list[Item]) -> None:
        """Release the unbroken run of packets that starts at the expected number."""
        sequence = self._next
        slots = self._slots
        while True:
            item = slots[sequence % SLOTS]
            if item is None:
                break
            slots[sequence % SLOTS] = None
            self.held -= 1
            self._bytes -= len(item)
            out.append(item)
            sequence = (sequence + 1) & MASK
        self._next = sequence

    def _gap_moved(self, now: float) -> None:
        self._forget_released()
        self._gap_since = now
        if self._arrivals:
            arrival = self._arrivals[0]
            self._gap_since = arrival.time

    def _forget_released(self) -> None:
        while self._arrivals:
            arrival = self._arrivals[0]
            if distance(arrival.top, self._next) >= 0:
                return
            self._arrivals.popleft()

    def _late(self) -> None:
        """Count a packet whose gap was given up: it was later than the timeout, nobody knows by how much."""
        self.late += 1
        if self.given_up:  # else it is one from before the first, which nobody has waited for
            self.lateness.sample(2 * self.timeout)
