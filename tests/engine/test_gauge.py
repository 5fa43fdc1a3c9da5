"""A link is measured by reports alone: its rate, delay and queue, whatever the clocks say and however it loses."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from alagg.engine.control import Report
from alagg.engine.gauge import FIRST, MOST_SENT, TARGET, Clock, Gauge
from alagg.engine.link import Link
from alagg.engine.sequence import MASK

SIZE = 1500
PAUSE = 0.012


class Way:
    """A link of so many bytes a second, with a sender that always has more, and reports of what came."""

    def __init__(
        self, rate: float, delay: float = 0.01, loss: int = 0, clock: float = 1000.0, first: int = 0
    ) -> None:
        self.rate, self.delay, self.loss, self.clock = rate, delay, loss, clock
        self.link = Link(0, "fibre", 1500)
        self.link.rtt = self.link.base_rtt = 2 * delay
        self.gauge = Gauge(self.link, Clock())
        self.number = first
        self.now = 0.0
        self.longest = 0.0
        """The longest queue, in seconds."""
        self.came = 0
        self._idle_at = 0.0
        self._next_at = 0.0
        self._coming: list[tuple[float, int, bool]] = []
        self._reports: list[tuple[float, Report]] = []
        self._last = Report(0, 0, 1, 0, 0, 0, 0)
        self._next_report = PAUSE

    def run(self, seconds: float, share: float = 0.0) -> float:
        """Send as the gauge allows, or `share` of the rate; give the bytes a second that came."""
        end, came, start = self.now + seconds, self.came, self.now
        while self.now < end:
            self.now += 0.0005
            pace = share * self.rate if share else self.gauge.pace(self.now)
            self._next_at = max(self._next_at, self.now - 0.001)
            while self._next_at <= self.now and (share or self.gauge.has_room(self.now)):
                self._next_at += SIZE / pace
                self._send()
            self._report()
        return (self.came - came) / (self.now - start)

    def _send(self) -> None:
        self._idle_at = max(self._idle_at, self.now) + SIZE / self.rate
        self.longest = max(self.longest, self._idle_at - self.now)
        self.gauge.send(self.number & MASK, SIZE, self.now)
        lost = self.loss and self.number % self.loss == 0
        self._coming.append((self._idle_at + self.delay, self.number, not lost))
        self.number += 1
        self.link.link_sequence = self.number & MASK

    def _report(self) -> None:
        while self._coming and self._coming[0][0] <= self.now:
            time, number, intact = self._coming.pop(0)
            if intact:
                self.came += SIZE
                arrived = round((time + self.clock) * 1e6) & MASK
                self._last = Report(0, 0, 1, number & MASK, 0, self.came, 0, arrived)
        if self.now >= self._next_report and self.came:
            self._next_report = self.now + PAUSE
            self._reports.append((self.now + self.delay, self._last))
        while self._reports and self._reports[0][0] <= self.now:
            self.gauge.take(self._reports.pop(0)[1], self.now)


@pytest.mark.parametrize("delay", [0.001, 0.03])
@pytest.mark.parametrize("rate", [0.25e6, 1.25e6, 12.5e6])
def test_rate_is_found_and_used_and_the_queue_stays_short(rate: float, delay: float) -> None:
    way = Way(rate, delay)
    way.run(1.5)
    way.longest = 0.0
    assert way.run(1.0) >= 0.96 * rate
    assert way.gauge.rate == pytest.approx(rate, rel=0.06)
    assert way.longest < max(3 * TARGET, 6 * SIZE / rate)


@pytest.mark.parametrize("clock", [0.0, -1e6, 4294.0, 123456.789])
@pytest.mark.parametrize("first", [0, MASK - 500])
def test_clocks_and_numbers_may_begin_anywhere(clock: float, first: int) -> None:
    way = Way(2.5e6, 0.02, clock=clock, first=first)
    way.run(1.0)
    assert way.run(0.5) >= 0.95 * way.rate


def test_loss_without_a_queue_is_not_congestion() -> None:
    way = Way(2.5e6, 0.02, loss=10)
    way.link.loss = 0.1
    way.run(2.0)
    assert way.run(1.0) >= 0.96 * 0.9 * way.rate


def test_slower_link_is_followed_within_half_a_second() -> None:
    way = Way(5e6)
    way.run(1.0)
    way.rate = 1e6
    way.run(0.5)
    way.longest = 0.0
    way.run(0.5)
    assert way.gauge.rate == pytest.approx(1e6, rel=0.1)
    assert way.longest < 0.03


def test_faster_link_is_followed_within_a_second() -> None:
    way = Way(1e6)
    way.run(1.0)
    way.rate = 3e6
    way.run(1.0)
    assert way.run(0.3) >= 0.93 * 3e6


def test_what_needs_less_shows_no_less_than_there_is() -> None:
    way = Way(5e6)
    way.run(1.0)
    way.run(2.0, share=0.3)
    assert way.gauge.rate == pytest.approx(5e6, rel=0.06)


def test_shortest_delay_is_seen_again_although_there_is_always_more_to_send() -> None:
    way = Way(2.5e6)
    way.run(21.0)
    way.delay += 0.05  # another route
    way.run(26.0)
    assert way.run(1.0) >= 0.93 * way.rate
    way.longest = 0.0
    way.run(1.0)
    assert way.longest < 0.03


def test_other_clock_of_a_peer_that_began_anew_is_no_queue() -> None:
    way = Way(2.5e6, clock=5000.0)
    way.run(1.0)
    way.clock = 3.0
    way.run(0.3)
    assert way.run(0.5) >= 0.9 * way.rate
    way.clock = 3000.0
    way.run(0.3)
    assert way.run(0.5) >= 0.9 * way.rate


def test_link_without_reports_gets_a_few_frames_now_and_then() -> None:
    gauge = Gauge(Link(0, "fibre", 1500), Clock())
    count = itertools.count()
    sent = 0
    for step in range(1000):
        now = step / 1000
        while gauge.has_room(now):
            gauge.send(next(count), SIZE, now)
            sent += 1
    assert FIRST <= sent <= 8 * FIRST
    assert gauge.blind
    report = Report(0, 0, 1, 3, 4, 4 * SIZE, 0, 10)
    gauge.take(report, 1.0)
    assert not gauge.is_stalled(1.0)


def test_stalled_only_while_something_is_on_its_way() -> None:
    way = Way(2.5e6)
    way.run(0.5)
    way.run(0.2, share=1e-9)
    assert not way.gauge.is_stalled(way.now + 100)


def test_memory_is_bounded_and_what_is_in_flight_is_what_was_sent() -> None:
    gauge = Gauge(Link(0, "fibre", 1500), Clock())
    for number in range(MOST_SENT + 100):
        gauge.send(number, SIZE, 0.0)
    assert (len(gauge.sent), gauge.in_flight) == (MOST_SENT, MOST_SENT * SIZE)
    gauge.take(Report(0, 0, 1, MOST_SENT + 49, 0, 0, 0, 0), 0.1)
    assert gauge.in_flight == 50 * SIZE
    assert len(gauge.forget_sent()) == 50
    assert gauge.in_flight == 0


def test_reports_that_say_the_same_again_change_nothing() -> None:
    way = Way(2.5e6)
    way.run(1.0)
    before = way.gauge.rate, way.gauge.delay, way.gauge.in_flight
    report = replace(way._last, highest=(way.number - len(way.gauge.sent) - 1) & MASK)
    for _ in range(50):
        assert way.gauge.take(report, way.now) == []
    assert (way.gauge.rate, way.gauge.delay, way.gauge.in_flight) == before


