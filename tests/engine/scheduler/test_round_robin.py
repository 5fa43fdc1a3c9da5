"""The round-robin scheduler: equal shares in turns, never on a link that does not answer while another does."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.link import Link
from alagg.engine.scheduler.round_robin import TURN, RoundRobin


def make_links(count: int) -> list[Link]:
    return [Link(number, f"link{number}", 1500) for number in range(count)]


def names(scheduler: RoundRobin, links: list[Link], packets: int) -> list[str]:
    runs = scheduler.schedule([b""] * packets, links, 0.0)
    return [link.name for run in runs for link in run.links for _ in range(run.length)]


def test_links_take_turns_across_batches() -> None:
    scheduler, links = RoundRobin(None), make_links(2)
    used = names(scheduler, links, TURN - 1) + names(scheduler, links, 2 * TURN + 1)
    assert used == ["link0"] * TURN + ["link1"] * TURN + ["link0"] * TURN


def test_without_a_link_packets_go_nowhere() -> None:
    (run,) = RoundRobin(None).schedule([b""] * 3, [], 0.0)
    assert (run.length, run.links) == (3, ())


def test_empty_batch_needs_no_link() -> None:
    assert sum(run.length for run in RoundRobin(None).schedule([], make_links(2), 0.0)) == 0


def test_link_that_does_not_answer_carries_nothing_while_another_does() -> None:
    scheduler, links = RoundRobin(None), make_links(3)
    links[1].answering = False
    assert set(names(scheduler, links, 10 * TURN)) == {"link0", "link2"}
    links[0].answering = links[2].answering = False
    assert set(names(scheduler, links, 10 * TURN)) == {"link0", "link1", "link2"}


def test_full_link_misses_one_batch() -> None:
    scheduler, links = RoundRobin(None), make_links(2)
    links[0].full = True
    assert set(names(scheduler, links, 4 * TURN)) == {"link1"}
    assert set(names(scheduler, links, 4 * TURN)) == {"link0", "link1"}


def test_when_all_are_full_all_are_tried() -> None:
    scheduler, links = RoundRobin(None), make_links(2)
    links[0].full = links[1].full = True
    assert set(names(scheduler, links, 4 * TURN)) == {"link0", "link1"}


@given(st.integers(1, 8), st.lists(st.integers(0, 200), min_size=1, max_size=40))
def test_shares_are_equal_within_a_turn(count: int, batches: list[int]) -> None:
    scheduler, links = RoundRobin(None), make_links(count)
    used: Counter[str] = Counter({link.name: 0 for link in links})
    for packets in batches:
        used.update(names(scheduler, links, packets))
    assert sum(used.values()) == sum(batches)
    assert max(used.values()) - min(used.values()) <= TURN


@given(st.lists(st.tuples(st.integers(0, 64), st.sets(st.sampled_from(range(5)))), max_size=30))
def test_only_open_links_and_every_packet_once(batches: list[tuple[int, set[int]]]) -> None:
    """Links may come and go from batch to batch."""
    scheduler, every = RoundRobin(None), make_links(5)
    for packets, up in batches:
        links = [every[number] for number in sorted(up)]
        runs = scheduler.schedule([b""] * packets, links, 0.0)
        assert sum(run.length for run in runs) == packets
        for run in runs:
            assert set(run.links) <= set(links)
            assert len(run.links) == min(1, len(links), run.length)
