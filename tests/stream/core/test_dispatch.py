"""Dispatch: the earliest arrival decides, and a link that would hold up the others is left out."""

from __future__ import annotations

from alagg.stream.core.dispatch import carriers, choose, is_tried
from alagg.stream.core.link import BLOCKED, NEW, TRIAL, UP, WARY, Link

HUGE = 1 << 40


def link(rate: float = 1e6, round_trip: float = 0.02, state: str = UP) -> Link:
    made = Link("a", 0.0)
    made.state = state
    made.estimate.trip(round_trip, 0.0)
    made.estimate.sample(rate, 0.0, limited=False)
    return made


def test_links_that_are_up_come_first_then_new_then_wary_ones() -> None:
    up, new, wary, blocked = (link(state=state) for state in (UP, NEW, WARY, BLOCKED))
    assert carriers([wary, new, up, blocked]) == [up]
    assert carriers([wary, new, blocked]) == [new]
    assert carriers([wary, blocked]) == [wary]
    assert carriers([blocked]) == []


def test_a_new_link_that_is_blocked_carries_nothing() -> None:
    new = link(state=NEW)
    new.held_there = True
    assert carriers([new]) == []


def test_the_earliest_arrival_is_chosen() -> None:
    near, far = link(), link(round_trip=0.04)
    assert choose([far, near], 1000, HUGE, 0.0) is near
    near.unacknowledged = 45_000
    assert choose([far, near], 1000, HUGE, 0.0) is far


def test_none_is_chosen_where_none_has_room() -> None:
    only = link()
    only.writable = False
    assert choose([only], 1000, HUGE, 0.0) is None
    assert choose([only, only], 1000, HUGE, 0.0) is None


def test_a_slow_link_that_adds_little_gets_a_trial_now_and_then() -> None:
    fast, slow = link(1e7), link(1e5, 0.6)
    fast.writable = False
    assert choose([fast, slow], 1000, HUGE, 5.0) is slow
    assert is_tried(slow, 5.0)
    assert not is_tried(fast, 5.0)
    assert choose([fast, slow], 1000, HUGE, 5.1) is None
    assert choose([fast, slow], 1000, HUGE, 5.1 + TRIAL) is slow


def test_a_late_link_is_left_out_where_the_window_cannot_hold_what_overtakes_it() -> None:
    fast, late = link(1e7), link(1e7, 0.6)
    fast.writable = False
    late.trial_at = 10.0
    assert choose([fast, late], 1000, HUGE, 5.0) is late
    assert choose([fast, late], 1000, 1 << 20, 5.0) is None
