"""The redundant scheduler: copies on all links, or on some in turn."""

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
