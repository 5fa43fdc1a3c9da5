"""The weighted scheduler: exact shares at any moment, whatever the sizes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.link import Link
from alagg.engine.scheduler.weighted import Weighted

SIZES = st.lists(st.integers(20, 1500), min_size=1, max_size=300)


def make_links(*weights: int) -> list[Link]:
    return [Link(number, f"link{number}", 1500, weight) for number, weight in enumerate(weights)]


def choices(scheduler: Weighted, links: list[Link], sizes: list[int]) -> list[Link]:
    runs = scheduler.schedule([bytes(size) for size in sizes], links, 0.0)
    assert all(len(run.links) == 1 for run in runs)
    return [run.links[0] for run in runs for _ in range(run.length)]


@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=8), SIZES)
def test_the_shares_of_every_beginning_are_exact_to_the_largest_packet(weights: list[int], sizes: list[int]) -> None:
    links = make_links(*weights)
    carried = dict.fromkeys(links, 0)
    total = 0
    for link, size in zip(choices(Weighted(None), links, sizes), sizes, strict=True):
        carried[link] += size
        total += size
        for one in links:
            assert abs(carried[one] - total * one.weight / sum(weights)) <= max(sizes) + 1e-3


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_7500_to_2500_is_three_of_four(batch: int) -> None:
    links = make_links(7500, 2500)
    scheduler = Weighted(None)
    chosen = [link for _ in range(800 // batch) for link in choices(scheduler, links, [1400] * batch)]
    fours = [chosen[first : first + 4].count(links[0]) for first in range(0, len(chosen) - 3, 4)]
    assert set(fours) == {3}


def test_a_link_that_does_not_answer_has_no_share() -> None:
    links = make_links(7500, 2500, 5000)
    links[0].answering = False
    assert {link.name for link in choices(Weighted(None), links, [100] * 30)} == {"link1", "link2"}
    for link in links:
        link.answering = False
    assert {link.name for link in choices(Weighted(None), links, [100] * 30)} == {"link0", "link1", "link2"}


def test_who_was_away_has_nothing_to_catch_up_with() -> None:
    links = make_links(1, 1)
    scheduler = Weighted(None)
    choices(scheduler, links[:1], [1000] * 50)
    assert choices(scheduler, links, [1000] * 10).count(links[1]) == 5
    links[1].weight = 4
    assert choices(scheduler, links, [1000] * 10).count(links[1]) == 8
