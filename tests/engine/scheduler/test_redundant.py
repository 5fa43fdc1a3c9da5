"""The redundant scheduler: copies on all links, or on the best of them."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.link import Link
from alagg.engine.scheduler.redundant import Redundant

LINKS = [Link(number, f"link{number}", 1500) for number in range(5)]


@pytest.mark.parametrize("copies", [None, 5, 6, 255])
def test_every_packet_on_every_link(copies: int | None) -> None:
    (run,) = Redundant(copies).schedule([b""] * 7, LINKS, 0.0)
    assert (run.length, run.links) == (7, tuple(LINKS))


def test_without_a_link_packets_go_nowhere() -> None:
    for copies in (None, 2):
        (run,) = Redundant(copies).schedule([b""] * 3, [], 0.0)
        assert (run.length, run.links) == (3, ())


@pytest.mark.parametrize("copies", [1, 2, 3, 4])
def test_copies_go_on_as_many_links_in_turn(copies: int) -> None:
    scheduler = Redundant(copies)
    used: Counter[str] = Counter()
    for _ in range(10 * len(LINKS)):
        (run,) = scheduler.schedule([b""], LINKS, 0.0)
        used.update(link.name for link in run.links)
        assert len({link.id for link in run.links}) == copies
    assert set(used.values()) == {10 * copies}


def best(copies: int, links: list[Link]) -> set[str]:
    """Give the links that are ever used in many batches."""
    scheduler = Redundant(copies)
    return {link.name for _ in range(20) for run in scheduler.schedule([b""], links, 0.0) for link in run.links}


def test_copies_go_on_the_best_links() -> None:
    links = [Link(number, f"link{number}", 1500) for number in range(4)]
    for link, rtt in zip(links, (0.300, 0.0202, 0.020, 0.080), strict=True):
        link.rtt = rtt
    assert best(1, links) == {"link1", "link2"}, "those that are alike take turns"
    assert best(2, links) == {"link1", "link2"}
    assert best(3, links) == {"link1", "link2", "link3"}
    links[2].answering = False
    assert best(2, links) == {"link1", "link3"}
    for link in links[:2]:
        link.answering = False
    assert best(2, links) >= {"link3"}, "silent ones are better than none"


def test_a_link_that_was_just_full_is_passed_over_once() -> None:
    links = [Link(number, f"link{number}", 1500) for number in range(2)]
    scheduler = Redundant(1)
    links[0].full = True
    (run,) = scheduler.schedule([b""], links, 0.0)
    assert run.links == (links[1],)
    assert not links[0].full


@given(
    st.none() | st.integers(1, 6),
    st.lists(st.tuples(st.integers(1, 64), st.sets(st.sampled_from(range(5)))), max_size=30),
)
def test_only_open_links_and_every_packet_once(copies: int | None, batches: list[tuple[int, set[int]]]) -> None:
    """Links may come and go from batch to batch."""
    scheduler = Redundant(copies)
    for length, up in batches:
        links = [LINKS[number] for number in sorted(up)]
        runs = scheduler.schedule([b""] * length, links, 0.0)
        assert sum(run.length for run in runs) == length
        for run in runs:
            assert set(run.links) <= set(links)
            assert len(run.links) == len(set(run.links)) == min(copies or len(links), len(links))
