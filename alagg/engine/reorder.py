"""Reorder: hold packets that came too early, and release them in the order of their numbers.

A packet that is next in line never waits. A gap ends when it is filled, when every live link has passed it (the
packet is surely lost), or when the first packet behind it has waited for `timeout`. Nothing is ever dropped: a
full buffer, a reset and the end release what is held in order, and a packet that comes after its gap was given up
is delivered late.

A packet far ahead of a stream that goes on below it proves no loss, whoever sent it: when its time is over it is
released alone, and the stream's own numbers are waited for as before.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import Final

from alagg.engine.fragment import Piece
from alagg.engine.held import OVERHEAD, Held
from alagg.engine.sequence import extend

SLOTS: Final = 8192
"""Packets that one buffer spans: at 4 Gbit/s a skew of about 25 ms."""
MAX_BYTES: Final = 16 << 20
"""Payload bytes that one buffer holds."""
INITIAL_TIMEOUT: Final = 0.05
"""Seconds that a gap is waited for before anything was measured."""
MIN_TIMEOUT: Final = 0.005
"""Seconds; the shortest automatic timeout, so that the host's own jitter does not count as loss."""
DOUBT: Final = 4
"""A gap of more numbers than this for each packet that is held is doubtful while the stream goes on below it."""
BELIEVED: Final = 64
"""Numbers that may be missing besides before that matters to `passed_by_all`."""
FRESH: Final = 0.25
"""Share of the timeout within which the number that was next has come, so that the stream goes on below a gap."""
GAPS: Final = 8
"""Gaps given up of late that are remembered: a packet out of one of them was later than the timeout."""
MAX_TIMEOUT: Final = 0.5
"""Seconds; the longest automatic timeout: later than this a packet is better lost."""
WATCHED: Final = 32
"""Missing numbers that are watched for, to learn how late those come behind which nothing could be released."""
WATCH_INTERVAL: Final = 0.02
"""Seconds between two numbers that begin to be watched for: together they cover more than the longest timeout."""


Item = bytes | Piece
"""What is put in order: a whole packet, or a piece of one."""

# The same again for C: other modules cannot see what the .pxd declares.
_MIN_TIMEOUT: Final = MIN_TIMEOUT
_MAX_TIMEOUT: Final = MAX_TIMEOUT
_SLOTS: Final = SLOTS
_MAX_BYTES: Final = MAX_BYTES
_DOUBT: Final = DOUBT
_BELIEVED: Final = BELIEVED
_FRESH: Final = FRESH
_OVERHEAD: Final = OVERHEAD
_WATCHED: Final = WATCHED
_WATCH_INTERVAL: Final = WATCH_INTERVAL


class _Arrival:
    """Packets that came at the same time and are held."""

    def __init__(self, time: float, top: int) -> None:
        self.time = time
        self.top = top
        """The highest of their numbers."""
        self.numbers = [top]


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
        seconds = min(seconds, 2 * _MAX_TIMEOUT)
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
        return min(max(self.mean + 4 * self.deviation, MIN_TIMEOUT), _MAX_TIMEOUT)


class Reorder:
    """Puts the packets of one stream back in order."""

    def __init__(self, timeout: float | None, store: Held | None = None) -> None:
        """Take the longest wait in seconds, None for automatic, 0 for none at all; `store`: what all buffers hold."""
        self.lateness = Lateness()
        self.late = 0
        """Packets that came after their gap had been given up."""
        self.given_up = 0
        """Numbers that were no longer waited for."""
        self.alone = 0
        """Packets far ahead that were released by themselves, since the stream went on below them."""
        self.crowded = 0
        """How often it released early, since all buffers together held too much."""
        self.overflows = 0
        """How often the buffer was full and released early."""
        self.held = 0
        """Packets that wait now."""
        self.fixed = timeout
        """The configured wait in seconds; None for automatic, 0 for no waiting at all."""
        self.least = _MIN_TIMEOUT
        """Seconds; the shortest automatic wait: longer where the peer uses links of unequal delay."""
        self._started = False
        self._next = 0
        """The number that is released next, once the first one has come; numbers are kept without their wrap."""
        self._advanced = float("-inf")
        """When the number that was next has come, the last time."""
        self._items: dict[int, list[Item]] = {}
        """What is held, by number: one packet each, more where somebody claims a number that is another's."""
        self._numbers: list[int] = []
        """A heap of these numbers, and of some that were released already."""
        self._bytes = 0
        self._store = store or Held()
        self._arrivals: deque[_Arrival] = deque()
        """When held packets came, in the order of arrival; entries of released ones go when they are first."""
        self._latest = _Arrival(0.0, 0)
        """The last of them."""
        self._gap_since = 0.0
        self._gaps: deque[tuple[int, int, float]] = deque(maxlen=GAPS)
        """The gaps that were given up last: their first number, the first behind them, and since when they were."""
        self._highest = 0
        """The highest number that came."""
        self._watched: dict[int, float] = {}
        """Missing numbers, and when the first one behind them came."""
        self._next_watch = float("-inf")

    @property
    def timeout(self) -> float:
        """Seconds that a packet waits at most."""
        return max(self.lateness.timeout, self.least) if self.fixed is None else self.fixed

    def ahead(self, sequence: int) -> int:
        """Give how far a number lies ahead of the one that is released next; none is before the first one came."""
        return extend(sequence, self._next) - self._next if self._started else 0

    def push(self, sequence: int, item: Item, now: float, out: list[Item]) -> None:
        """Take a packet that was not seen before; append what can be released to `out`."""
        if not self._started:
            self._started, self._next = True, sequence
        number = extend(sequence, self._next)
        ahead = number - self._next
        if ahead == 0:
            out.append(item)
            self._next = number + 1
            self._advanced = now
            if self.held:
                self._fill(now, out)
        elif ahead < 0:
            self._late(number, now)
            out.append(item)
        elif self.fixed == 0:
            out.append(item)
            self._next = number + 1
        else:
            self._hold(number, item, now, out)

    def awaits(self, sequence: int) -> bool:
        """Tell whether a link that has come as far as `sequence` may still bring the number that is released next."""
        return extend(sequence, self._next) < self._next

    def passed_by_all(self, sequence: int, now: float, out: list[Item]) -> None:
        """Give up the gaps up to `sequence`: every live link has delivered this number or a later one."""
        number = extend(sequence, self._next)
        while self.held and number >= self._next:
            if self._lowest() - self._next > _BELIEVED + _DOUBT * self.held:
                return
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
            if self.held and self._goes_on(arrival, now, timeout):
                self._release_alone(arrival, out)
            else:
                while self.held and arrival.top >= self._next:
                    self._skip_gap(now, out)
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
        self._numbers.clear()
        self._watched.clear()
        self._started, self._highest = False, 0

    def _hold(self, number: int, item: Item, now: float, out: list[Item]) -> None:
        if number - self._next > _SLOTS:
            self._make_room(number, now, out)
            if number == self._next:
                out.append(item)
                self._next = number + 1
                return
        self._watch(number, now)
        if not self.held:
            self._gap_since = now
        others = self._items.get(number)
        if others is None:
            self._items[number] = [item]
            heappush(self._numbers, number)
        else:
            others.append(item)
        self.held += 1
        self._bytes += len(item)
        self._store.bytes += len(item) + _OVERHEAD
        self._arrived(number, now)
        if self._bytes > _MAX_BYTES:
            self.overflows += 1
            while self._bytes > _MAX_BYTES:
                self._skip_gap(now, out)
        if self._store.is_too_much(self._bytes):
            self.crowded += 1
            while self.held and self._store.is_too_much(self._bytes):
                self._skip_gap(now, out)

    def _watch(self, number: int, now: float) -> None:
        """Measure how late a number is that was watched for; of one that is ahead of all, watch for the one before.

        Where many are lost, the first gap is hardly ever one that is filled: what its filling says would be missed.
        """
        if number <= self._highest:
            since = self._watched.pop(number, None)
            if since is not None:
                self.lateness.sample(now - since)
            return
        if number - 1 > max(self._highest, self._next - 1) and now >= self._next_watch:
            self._next_watch = now + _WATCH_INTERVAL
            if len(self._watched) >= _WATCHED:
                del self._watched[next(iter(self._watched))]
            self._watched[number - 1] = now
        self._highest = number

    def _arrived(self, number: int, now: float) -> None:
        arrival = self._latest
        if not self._arrivals or arrival.time != now:
            self._latest = _Arrival(now, number)
            self._arrivals.append(self._latest)
        else:
            arrival.numbers.append(number)
            arrival.top = max(arrival.top, number)

    def _goes_on(self, arrival: _Arrival, now: float, timeout: float) -> bool:
        """Tell whether the stream goes on below packets whose time is over: that they are ahead proves no loss."""
        if self._advanced <= arrival.time:
            return False
        return now - self._advanced < _FRESH * timeout or self._lowest() - self._next > _DOUBT * self.held

    def _release_alone(self, arrival: _Arrival, out: list[Item]) -> None:
        """Release the packets that came at a time, and go on waiting for what lies before them."""
        before = self.held
        for number in sorted(arrival.numbers):
            if number in self._items:
                self._take(number, out)
        self.alone += before - self.held
        self._arrivals.popleft()

    def _make_room(self, number: int, now: float, out: list[Item]) -> None:
        """Release in order until the buffer spans a number; an empty buffer waits for nothing before it."""
        self.overflows += 1
        while self.held and number - self._next > _SLOTS:
            self._skip_gap(now, out)
        if not self.held:
            self.given_up += number - self._next
            self._next = number

    def _lowest(self) -> int:
        """Give the lowest number that is held; there is one."""
        while self._numbers[0] not in self._items:
            heappop(self._numbers)
        return self._numbers[0]

    def _skip_gap(self, now: float, out: list[Item]) -> None:
        """Give up the numbers before the lowest held packet and release from there on."""
        number = self._lowest()
        if number > self._next:
            self.given_up += number - self._next
            self._gaps.append((self._next, number, self._gap_since))
        self._next = number
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
        number = self._next
        while number in self._items:
            self._take(number, out)
            number += 1
        self._next = number

    def _take(self, number: int, out: list[Item]) -> None:
        for item in self._items.pop(number):
            self.held -= 1
            self._bytes -= len(item)
            self._store.bytes -= len(item) + _OVERHEAD
            out.append(item)

    def _gap_moved(self, now: float) -> None:
        self._forget_released()
        self._gap_since = now
        if self._arrivals:
            arrival = self._arrivals[0]
            self._gap_since = arrival.time

    def _forget_released(self) -> None:
        while self._arrivals:
            arrival = self._arrivals[0]
            if arrival.top >= self._next:
                return
            self._arrivals.popleft()

    def _late(self, number: int, now: float) -> None:
        """Count a packet that came behind its number's turn.

        One out of a gap that was given up shows how late packets come that are not lost; of others, from before the
        first or out of nowhere, nobody has waited for. None more than doubles the timeout: who knows who sent it.
        """
        self.late += 1
        for first, stop, since in self._gaps:
            if first <= number < stop:
                self.lateness.sample(min(now - since, 2 * self.timeout))
                return
