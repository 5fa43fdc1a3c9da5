"""A link: its ring, what it owes, and how trust in it is lost and won back."""

from __future__ import annotations

import pytest

from alagg.stream.core.errors import ProtocolError
from alagg.stream.core.frames import OVERHEAD
from alagg.stream.core.link import BLOCKED, SUSPECT, UP, WARY, Link
from alagg.stream.core.outgoing import Segment


def up() -> Link:
    link = Link("a", 0.0)
    link.settle()
    return link


def test_the_ring_empties_as_it_is_acknowledged() -> None:
    link, segments = up(), [Segment(at * 10, bytes(10)) for at in range(3)]
    for segment in segments:
        link.carry(segment, 0.0, 0.1)
    assert link.unacknowledged == 3 * (10 + OVERHEAD)
    link.acknowledge(2, 0.05)
    assert [segment.done for segment in segments] == [True, True, False]
    assert link.unacknowledged == 10 + OVERHEAD
    assert link.estimate.smoothed == pytest.approx(0.05)
    assert link.statistics.unacknowledged == link.unacknowledged


@pytest.mark.parametrize("count", [0, 3, (1 << 64) - 1])
def test_counts_that_cannot_be_are_named(count: int) -> None:
    link = up()
    for at in range(2):
        link.carry(Segment(at, b"x"), 0.0, 0.1)
    link.acknowledge(1, 0.1)
    with pytest.raises(ProtocolError) as caught:
        link.acknowledge(count, 0.2)
    assert caught.value.reason == "ack-count"


def test_a_full_link_has_no_room_and_an_empty_one_always() -> None:
    link = up()
    link.carry(Segment(0, bytes(1 << 16)), 0.0, 0.1)
    assert not link.has_room()
    link.acknowledge(1, 0.1)
    link.burst = 1
    assert link.has_room()
    link.writable = False
    assert not link.has_room()


def test_a_link_that_fails_again_and_again_stays_wary() -> None:
    link = up()
    states = []
    for number in range(4):
        link.suspect(number * 1.0, "late")
        assert link.state == SUSPECT
        link.answered(number + 0.5)
        states.append(link.state)
    assert states == [UP, UP, WARY, WARY]
    assert link.test_at > 3.5
    link.answered(6.0)
    assert (link.state, link.failures) == (UP, 4)


def test_failures_of_long_ago_are_forgiven() -> None:
    link = up()
    for number in range(5):
        link.suspect(number * 61.0, "late")
        link.answered(number * 61.0 + 1)
        assert link.state == UP


def test_either_side_can_block() -> None:
    link = up()
    link.held_there = True
    link.settle()
    assert (link.state, link.reason) == (BLOCKED, "blocked by the peer")
    link.held_here = True
    link.settle()
    assert (link.state, link.reason) == (BLOCKED, "blocked here")


def test_only_a_link_that_was_not_full_is_limited_by_the_program() -> None:
    link = up()
    link.estimate.round_trip, link.estimate.rate = 0.1, 1000.0
    link.carry(Segment(0, bytes(200)), 0.0, 0.1)
    link.was_limited()
    link.carry(Segment(200, bytes(200)), 0.0, 0.1)
    assert not link.ring[-1].limited
    link.acknowledge(2, 0.1)
    link.was_limited()
    link.carry(Segment(400, bytes(200)), 0.2, 0.1)
    assert link.ring[-1].limited
