"""Reorder against packets that prove less than they seem to, and the measure of how late packets come."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.reorder import INITIAL_TIMEOUT, MAX_TIMEOUT, MIN_TIMEOUT, WATCHED, Lateness
from tests.engine.test_reorder import TIMEOUT, Script, item


def test_lateness_starts_careful_and_follows_what_is_measured() -> None:
    lateness = Lateness()
    assert lateness.timeout == INITIAL_TIMEOUT
    lateness.sample(0.02)
    assert lateness.timeout == pytest.approx(0.02 + 4 * 0.01)
    for _ in range(200):
        lateness.sample(0.02)
    assert lateness.timeout == pytest.approx(0.02, rel=0.01)
    for _ in range(200):
        lateness.sample(0.0)
    assert lateness.timeout == MIN_TIMEOUT


@given(st.lists(st.floats(0, 1e9), min_size=1))
def test_lateness_stays_within_its_bounds(samples: list[float]) -> None:
    lateness = Lateness()
    for sample in samples:
        lateness.sample(sample)
        assert MIN_TIMEOUT <= lateness.timeout <= MAX_TIMEOUT


def test_packet_far_ahead_of_a_stream_that_goes_on_disturbs_nothing() -> None:
    """Whoever sent it: it is released when its time is over, and the stream's order is kept."""
    script = Script(timeout=None)
    before = script.reorder.timeout
    script.push(500, now=0.0)
    for sequence in range(1, 100, 2):
        now = sequence / 256
        script.reorder.expire(now, script.released)
        script.push(sequence + 1, sequence, now=now)
    out = script.out()
    assert [sequence for sequence in out if sequence != 500] == list(range(1, 101))
    assert (script.reorder.alone, script.reorder.late, script.reorder.given_up) == (1, 0, 0)
    assert script.reorder.timeout <= before


def test_gap_behind_a_single_packet_far_ahead_waits_for_the_timer() -> None:
    script = Script()
    script.push(500)
    script.reorder.passed_by_all(500, 0.0, script.released)
    assert script.out() == []
    script.reorder.expire(TIMEOUT, script.released)
    assert script.out() == [500]


def test_number_that_two_packets_claim_is_released_with_both() -> None:
    script = Script()
    script.reorder.push(2, item(2), 0.0, script.released)
    script.reorder.push(2, item(22), 0.0, script.released)
    script.push(1)
    assert script.out() == [1, 2, 22]
    assert (script.reorder.held, script.reorder.deadline()) == (0, inf)


def test_packet_of_a_gap_that_all_links_had_passed_was_no_later_than_it_was() -> None:
    script = Script(timeout=None)
    script.push(2, now=1.0)
    script.reorder.passed_by_all(2, 1.0, script.released)
    script.push(1, now=1.004)
    assert script.out() == [2, 1]
    assert script.reorder.late == 1
    assert script.reorder.lateness.mean == pytest.approx(0.004)


def test_late_packet_of_whatever_age_at_most_doubles_the_timeout_in_its_mean() -> None:
    script = Script(timeout=None)
    script.push(2, now=1.0)
    script.reorder.expire(1.0 + INITIAL_TIMEOUT, script.released)
    script.push(1, now=100.0)
    assert script.reorder.lateness.mean == 2 * INITIAL_TIMEOUT


def test_lateness_is_learnt_behind_gaps_that_nobody_fills() -> None:
    """One number in ten is lost, and each other one comes 8 ms late: none of these is ever the next one."""
    script = Script(timeout=None)
    script.reorder.lateness.sample(MAX_TIMEOUT)
    script.push(*range(1, 20))
    for step in range(18, 1000):
        now = step / 1000
        script.reorder.expire(now, script.released)
        if step % 10:
            script.push(2 * step, now=now)
            script.push(2 * step - 15, now=now)
    assert script.reorder.timeout < 0.02
    assert script.reorder.late == 0


def test_numbers_that_are_watched_for_are_few() -> None:
    script = Script(timeout=None)
    for step in range(1, 3 * WATCHED):
        script.push(2 * step, now=float(step))
    before = script.reorder.lateness.mean
    script.push(2 * WATCHED - 1, now=199.0)
    assert script.reorder.lateness.mean == before, "it was watched for, but no more"
    script.push(6 * WATCHED - 3, now=199.0)
    assert script.reorder.lateness.mean != before
    script.push(*range(1, 6 * WATCHED, 2), now=200.0)
    assert script.reorder.held == 0
