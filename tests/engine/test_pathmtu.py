"""The search for the path's MTU, against a path that carries frames of some size."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.link import Link
from alagg.engine.pathmtu import AGAIN, FLOOR, SMALLEST, PathMtu


def rounds(path: PathMtu, carries: int, count: int, first: int = 0) -> int:
    """Let rounds of probes go out and be answered; give the most frames of one round."""
    most = 0
    for step in range(first, first + count):
        sizes = path.sizes(step / 10, 0.01)
        most = max(most, len(sizes))
        for size in sizes:
            if size <= carries:
                path.answered(size)
    return most


@given(st.integers(FLOOR, 9000), st.integers(FLOOR + 1, 9000))
def test_the_true_size_is_found_with_few_frames(carries: int, mtu: int) -> None:
    link = Link(0, "fibre", mtu)
    path = PathMtu(link)
    assert rounds(path, carries, 60) <= 20
    assert link.room == min(carries, mtu)


def test_a_path_that_carries_all_costs_one_large_probe_in_ten() -> None:
    link = Link(0, "fibre", 1500)
    path = PathMtu(link)
    sizes = []
    for step in range(100):
        sizes += path.sizes(step / 10, 0.01)
        path.answered(1500)
        path.answered(SMALLEST)
    assert sizes.count(1500) == 10
    assert (link.path_mtu, link.room) == (0, 1500)


def test_a_link_that_is_dead_says_nothing_of_its_size() -> None:
    link = Link(0, "fibre", 1500)
    rounds(PathMtu(link), 0, 200)
    assert link.room == 1500


def test_a_path_that_widens_is_used_again() -> None:
    link = Link(0, "fibre", 1500)
    path = PathMtu(link)
    rounds(path, 1000, 60)
    assert link.room == 1000
    rounds(path, 1500, round(10 * AGAIN) + 20, first=60)
    assert link.room == 1500


def test_a_path_that_stays_narrow_loses_ever_fewer_probes() -> None:
    path = PathMtu(Link(0, "fibre", 1500))
    rounds(path, 1000, 60)
    tries = []
    for now in range(10, 4000):
        sizes = path.sizes(float(now), 0.01)
        for size in sizes:
            if size <= 1000:
                path.answered(size)
        tries += [now for size in sizes if size > 1000]
    assert [later - former for former, later in pairwise(tries)] == [20, 40, 80, 160, 320, 600, 600, 600, 600, 600]


def test_a_hint_is_looked_into_at_once_and_a_false_one_changes_nothing() -> None:
    link = Link(0, "fibre", 1500)
    path = PathMtu(link)
    rounds(path, 1500, 20)
    for step in range(20, 100, 10):
        path.doubt()
        assert rounds(path, 1500, 10, first=step) <= 20
        assert link.room == 1500
    path.doubt()
    rounds(path, 1272, 8, first=100)
    assert link.room == 1272


def test_another_mtu_begins_the_search_anew() -> None:
    link = Link(0, "fibre", 1500)
    path = PathMtu(link)
    rounds(path, 1000, 60)
    link.mtu = 900
    path.forget()
    rounds(path, 1000, 60, first=60)
    assert link.room == 900


def test_a_link_that_is_silent_is_sent_no_more_large_frames_than_one_that_answers() -> None:
    path = PathMtu(Link(0, "fibre", 1500))
    sizes = [size for step in range(100) for size in path.sizes(step / 10, 0.01)]
    assert sizes.count(1500) == 10
