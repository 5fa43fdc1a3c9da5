"""A lane's tracks: what each link brought, whoever else claims to speak for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.lane import MAX_MISSING, Lane, Track, share_lost
from alagg.engine.link import Link
from alagg.engine.recovery import SILENCE
from alagg.engine.sequence import MASK


@given(st.lists(st.integers(1, 60), unique=True, max_size=40), st.sampled_from([0, MASK - 20]))
def test_missing_ranges_are_those_of_a_set(numbers: list[int], first: int) -> None:
    track = Track(1, 0, first, 100, 0.0)
    most = 0
    for number in numbers:
        track.frame(first + number & MASK, 100, 0.0)
        most = max(most, len(track.missing))
    highest = max(numbers, default=0)
    missing = {number for number in range(1, highest + 1) if number not in numbers}
    if most < MAX_MISSING:  # else some of them had to make room
        told = {number - first for start, stop in track.missing for number in range(start, stop)}
        assert told == missing
    assert track.highest == first + highest


def test_strangers_cannot_set_back_what_is_known_of_a_link_that_is_heard() -> None:
    lane, link = Lane(0, 1 << 10, None), Link(0, "fibre", 1500)
    for number in range(100):
        track = lane.track(link, 1, 0, number, 100, number / 100)
        assert lane.track(link, 666, 0, number, 100, number / 100) is None
        assert lane.track(link, 1, 77, number, 100, number / 100) is None
    assert track is lane.tracks[link]
    assert (track.received, track.expected) == (100, 100)


@pytest.mark.parametrize(("epoch", "link_id"), [(2, 0), (1, 5)])
def test_restart_and_another_number_of_the_link_begin_anew(epoch: int, link_id: int) -> None:
    """Also while no packet flows: probes alone tell of an idle link's loss after its peer's restart."""
    lane, link = Lane(0, 1 << 10, None), Link(0, "fibre", 1500)
    lane.track(link, 1, 0, 1000, 100, 0.0)
    for number in range(0, 100, 2):
        lane.track(link, epoch, link_id, number, 100, SILENCE + number / 100)
    track = lane.tracks[link]
    assert (track.epoch, track.link_id, track.expected) == (epoch, link_id, 99)
    assert track.loss == pytest.approx(0.5, abs=0.01)


def test_share_lost_stays_a_share() -> None:
    assert (share_lost(5, 0), share_lost(12, 10), share_lost(5, 10)) == (0.0, 0.0, 0.5)
