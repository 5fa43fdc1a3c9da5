"""What a peer's reports say of a link, and what they cannot make anybody believe."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from alagg.engine.control import Report
from alagg.engine.link import Link
from alagg.engine.outgoing import SILENCE, Outgoing
from alagg.engine.sequence import MASK

EXTREMES = (0, 1, 0x7FFFFFFF, 0x80000000, MASK)


class Way:
    """A link on which `rate` bytes a second arrive of what is sent, and a report of it each 35 ms."""

    def __init__(self, first: int = 0) -> None:
        self.link = Link(3, "fibre", 1500)
        self.link.link_sequence = first
        self.outgoing = Outgoing(self.link)
        self.now = self.received = self.bytes = 0
        self.time = 0.0

    def report(self, **fields: int) -> Report:
        """Give a true report, or one in which some fields are others."""
        highest = (self.link.link_sequence - 1) & MASK
        true = Report(0, 3, 7, highest, self.received & MASK, self.bytes, 0)
        return replace(true, **fields)  # type: ignore[arg-type]

    def run(self, seconds: float, rate: float, loss: float = 0.0) -> None:
        """Let frames arrive; what is lost is sent besides."""
        for _ in range(round(seconds / 0.035)):
            self.time += 0.035
            frames = round(rate * 0.035 / 1000)
            self.bytes += frames * 1000
            self.received += frames
            self.link.link_sequence = (self.link.link_sequence + round(frames / (1 - loss))) & MASK
            assert self.outgoing.take(self.report(), self.time)


@pytest.mark.parametrize("first", [0, MASK - 1000])
@pytest.mark.parametrize("loss", [0.0, 0.1, 0.5])
def test_rate_and_loss_are_what_arrives(first: int, loss: float) -> None:
    way = Way(first)
    way.run(4, 1.8e6, loss)
    assert way.outgoing.rate == pytest.approx(1.8e6, rel=0.05)
    assert way.outgoing.loss == pytest.approx(loss, abs=0.002)


def test_change_shows_within_three_seconds() -> None:
    way = Way()
    way.run(10, 2e6, 0.2)
    way.link.rtt, way.link.base_rtt = 0.1, 0.01
    way.run(3.1, 1e6, 0.0)
    assert way.outgoing.rate == pytest.approx(1e6, rel=0.05)
    assert way.link.capacity == pytest.approx(1e6, rel=0.05)
    assert way.outgoing.loss == pytest.approx(0, abs=0.002)


def test_link_without_a_queue_can_carry_more_than_it_is_given() -> None:
    way = Way()
    way.run(3, 2e6)
    way.run(3, 1e5)
    assert way.link.capacity == pytest.approx(2e6, rel=0.05)


def test_stranger_changes_nothing_that_was_measured() -> None:
    """Reports of what was never sent, of the past, and of more than can have come."""
    way = Way(5000)
    way.run(4, 1e6, 0.1)
    before = way.outgoing.loss, way.outgoing.rate, way.link.capacity
    highest = way.link.link_sequence
    forged = [way.report(highest=number) for number in (0, highest, highest + 1, MASK, 0x7FFFFFFF)]
    forged += [way.report(received=way.received - 1), way.report(received=way.received + 1000)]
    forged += [way.report(received_bytes=number) for number in (0, way.bytes - 1, 1 << 40, (1 << 64) - 1)]
    assert not any(way.outgoing.take(report, way.time) for report in forged)
    way.run(1, 1e6, 0.1)
    assert (way.outgoing.loss, way.outgoing.rate, way.link.capacity) == pytest.approx(before, rel=0.05)


def test_peer_that_was_restarted_is_believed_after_a_while() -> None:
    way = Way()
    way.run(4, 1e6)
    way.received = way.bytes = 0
    assert not way.outgoing.take(way.report(), way.time + 0.1)
    assert way.outgoing.take(way.report(), way.time + SILENCE)


@pytest.mark.fuzz
def test_no_extreme_breaks_it_or_takes_memory() -> None:
    way = Way()
    way.run(1, 1e6)
    ages = bytes_ = (0, 1, MASK, (1 << 64) - 1)
    for fields in itertools.product(EXTREMES, EXTREMES, bytes_, ages):
        report = way.report(**dict(zip(("highest", "received", "received_bytes", "age"), fields, strict=True)))
        way.time += 0.01
        way.outgoing.take(report, way.time)
        assert 0 <= (way.outgoing.loss or 0) <= 1
        assert way.link.capacity >= 0
    assert len(way.outgoing._samples) <= 64
