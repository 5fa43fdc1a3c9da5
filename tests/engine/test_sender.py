"""The sender: one number before the fan-out, a link sequence per link, and the fate of every packet."""

from __future__ import annotations

from collections import defaultdict
from math import inf
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.fragment import Piece, Rejoiner
from alagg.engine.header import MAX_PIECES, SIZE, decode
from alagg.engine.link import Link
from alagg.engine.scheduler.base import Run, Scheduler
from alagg.engine.scheduler.redundant import Redundant
from alagg.engine.sender import MAX_WAITING, PATIENCE, RETRY, Sender
from alagg.engine.sequence import MASK
from tests.engine.helpers import numbered, numbers, take_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.header import FrameValues


class Script:
    """A sender with links, and the frames that their ports took."""

    def __init__(self, *mtus: int, copies: int | None = None) -> None:
        self.links = [Link(number, f"link{number}", mtu) for number, mtu in enumerate(mtus)]
        self.sender = Sender(7, 3, Redundant(copies), self.links)
        self.frames: dict[str, list[FrameValues]] = defaultdict(list)

    def send(self, packets: list[bytes], *taken: int | None) -> None:
        """Send a batch, of which each link's port takes as many frames as `taken` says (None: all)."""
        self.sender.send(packets, 0.0)
        self.settle(*taken)

    def retry(self, now: float, *taken: int | None) -> None:
        """Let time pass, and each link's port take as many of what waited."""
        assert self.sender.due <= now
        self.sender.retry(now)
        self.settle(*taken)

    def settle(self, *taken: int | None) -> None:
        for index, link in enumerate(self.links):
            if link.headers:
                frames = take_frames(link, taken[index] if taken else None)
                self.frames[link.name] += map(decode, frames)
        self.sender.settle()

    @property
    def fates(self) -> dict[str, int]:
        sender = self.sender
        fates = {
            "sent": sender.sent,
            "no_link": sender.dropped_no_link,
            "too_big": sender.dropped_too_big,
            "full": sender.dropped_full,
            "waiting": sender.waiting,
        }
        assert sender.captured == sum(fates.values()), "a packet is unaccounted for"
        return {name: count for name, count in fates.items() if count}

    def numbers(self, link: str) -> list[tuple[int, int]]:
        """Give sequence and link sequence of the frames that a link took."""
        return [(frame[3], frame[5]) for frame in self.frames[link]]


def test_numbers_are_given_once_and_copies_differ_only_in_their_link() -> None:
    script = Script(1500, 1500)
    packets = numbered(range(5))
    script.send(packets)
    one, two = script.frames["link0"], script.frames["link1"]
    assert [frame[3] for frame in one] == [frame[3] for frame in two] == [0, 1, 2, 3, 4]
    assert [frame[8] for frame in one] == [frame[8] for frame in two] == packets
    assert {frame[:3] for frame in one + two} == {(1, 7, 3)}
    assert ({frame[4] for frame in one}, {frame[4] for frame in two}) == ({0}, {1})
    assert script.fates == {"sent": 5}


def test_numbers_go_on_from_batch_to_batch_and_wrap() -> None:
    script = Script(1500)
    script.sender.sequence = MASK - 1
    script.send(numbered(range(2)))
    script.send(numbered(range(2)))
    assert [number for number, _ in script.numbers("link0")] == [MASK - 1, MASK, 0, 1]


def test_each_link_counts_its_own_frames() -> None:
    script = Script(1500, 1500, 1500, copies=1)
    for number in range(6):
        script.send(numbered([number]))
    assert script.numbers("link0") == [(0, 0), (3, 1)]
    assert script.numbers("link1") == [(1, 0), (4, 1)]
    assert script.numbers("link2") == [(2, 0), (5, 1)]


def test_closed_link_carries_nothing_and_harms_nothing() -> None:
    script = Script(1500, 1500)
    script.links[0].open = False
    script.sender.links_changed()
    script.send(numbered(range(3)))
    assert script.numbers("link0") == []
    assert script.fates == {"sent": 3}


def test_without_an_open_link_packets_are_counted() -> None:
    script = Script(1500)
    script.links[0].open = False
    script.sender.links_changed()
    script.send(numbered(range(3)))
    assert script.fates == {"no_link": 3}


def test_sender_without_links_counts_and_lives() -> None:
    script = Script()
    script.send(numbered(range(3)))
    assert script.fates == {"no_link": 3}


def test_one_link_that_takes_all_is_enough() -> None:
    script = Script(1500, 1500)
    script.send(numbered(range(10)), 0, None)
    assert script.fates == {"sent": 10}


@pytest.mark.parametrize(("one", "two", "sent"), [(0, 0, 0), (3, 7, 7), (7, 3, 7), (9, 0, 9), (10, 10, 10)])
def test_packet_is_sent_when_any_link_took_it(one: int, two: int, sent: int) -> None:
    script = Script(1500, 1500)
    script.send(numbered(range(10)), one, two)
    expected = {"sent": sent, "waiting": 10 - sent}
    assert script.fates == {name: count for name, count in expected.items() if count}
    if sent < 10:
        script.retry(PATIENCE)
    expected = {"sent": sent, "full": 10 - sent}
    assert script.fates == {name: count for name, count in expected.items() if count}


@pytest.mark.parametrize(("one", "two"), [(0, 0), (3, 7), (7, 3), (10, 0)])
def test_packets_that_no_link_took_wait_with_their_numbers(one: int, two: int) -> None:
    """A number is never given to another payload, and what a full link refused is no loss of the link's."""
    script = Script(1500, 1500)
    script.send(numbered(range(10)), one, two)
    script.send(numbered([10]))
    first = script.frames["link0"]
    missing = [*range(one), *range(max(one, two), 11)]
    assert [(frame[3], frame[5]) for frame in first] == [(number, index) for index, number in enumerate(missing)]
    assert [numbers([frame[8]]) for frame in first] == [[number] for number in missing]
    assert script.fates == {"sent": 11}


def test_what_waits_is_tried_again_soon_and_given_up_after_a_while() -> None:
    script = Script(1500)
    script.send(numbered(range(4)), 1)
    assert script.sender.due == RETRY
    script.retry(RETRY, 1)
    assert script.fates == {"sent": 2, "waiting": 2}
    script.retry(PATIENCE, None)
    assert script.fates == {"sent": 2, "full": 2}
    assert script.sender.due == inf
    script.send(numbered([4]))
    assert script.numbers("link0") == [(0, 0), (1, 1), (4, 2)]


def test_what_waits_is_bounded_and_new_packets_are_dropped_before_they_have_a_number() -> None:
    script = Script(1500)
    packet = bytes(1400)
    for _ in range(2 * MAX_WAITING // (64 * len(packet))):
        script.send([packet] * 64, 0)
    assert script.sender.waiting * len(packet) < MAX_WAITING + 64 * len(packet)
    assert script.sender.sequence == script.sender.waiting
    assert script.fates["full"] + script.fates["waiting"] == script.sender.captured


def test_pieces_of_one_packet_wait_and_go_together() -> None:
    script = Script(SIZE + 100)
    script.send([bytes(400)], 2)
    assert script.fates == {"waiting": 1}
    script.retry(RETRY, 1)
    assert script.fates == {"waiting": 1}
    script.retry(2 * RETRY)
    assert script.fates == {"sent": 1}
    assert [(frame[3], frame[6], frame[7]) for frame in script.frames["link0"]] == [
        (0, 0, 3), (1, 1, 3), (2, 2, 3), (3, 3, 3),
    ]  # fmt: skip


def test_what_waits_and_fits_no_more_is_given_up() -> None:
    script = Script(1500)
    script.send([bytes(1400), bytes(10)], 0)
    script.links[0].mtu = 600
    script.sender.links_changed()
    script.retry(RETRY)
    assert script.fates == {"sent": 1, "full": 1}


def test_several_batches_are_settled_together() -> None:
    script = Script(1500, 1500, copies=1)
    for _ in range(4):
        script.sender.send(numbered(range(10)), 0.0)
    # Each link was given two batches: the first one took 15 of its 20 frames, the second one none.
    script.settle(15, 0)
    assert script.fates == {"sent": 15, "waiting": 25}


def test_frames_queued_before_a_batch_are_not_taken_for_its_packets() -> None:
    script = Script(1500)
    script.links[0].append(2, 7, bytes(8), 0)
    script.sender.send(numbered(range(3)), 0.0)
    script.links[0].settle(2)
    script.sender.settle()
    assert script.fates == {"sent": 1, "waiting": 2}


def test_too_big_packets_are_split_to_the_smallest_open_link() -> None:
    script = Script(1500, 1280)
    packets = [*numbered([0], 100), *numbered([1], 3000), *numbered([2], 1200)]
    script.send(packets)
    frames = script.frames["link0"]
    assert [frame[8] for frame in frames] == [frame[8] for frame in script.frames["link1"]]
    assert max(SIZE + len(frame[8]) for frame in frames) <= 1280
    assert [(frame[3], frame[6], frame[7]) for frame in frames] == [
        (0, 0, 0), (1, 0, 2), (2, 1, 2), (3, 2, 2), (4, 0, 0),
    ]  # fmt: skip
    assert b"".join(frame[8] for frame in frames) == b"".join(packets)
    assert script.fates == {"sent": 3}
    assert script.sender.split == 1


def test_packet_that_just_fits_is_not_split() -> None:
    script = Script(1500)
    script.send([bytes(1500 - SIZE), bytes(1500 - SIZE + 1)])
    assert [len(frame[8]) for frame in script.frames["link0"]] == [1476, 739, 738]
    assert script.sender.split == 1


def test_smallest_link_that_closes_gives_way_to_larger_frames() -> None:
    script = Script(1500, 600)
    script.links[1].open = False
    script.sender.links_changed()
    script.send(numbered([0], 1400))
    assert script.sender.split == 0


def test_packet_of_more_pieces_than_there_are_is_counted() -> None:
    script = Script(SIZE + 100)
    script.send([bytes(100 * MAX_PIECES + 1), bytes(100 * MAX_PIECES)])
    assert script.fates == {"sent": 1, "too_big": 1}
    script.send([bytes(100 * MAX_PIECES + 1)])
    assert script.fates == {"sent": 1, "too_big": 2}


def test_link_too_small_for_any_payload_counts_as_none() -> None:
    script = Script(SIZE)
    script.send(numbered(range(2)))
    assert script.fates == {"no_link": 2}


@pytest.mark.parametrize("taken", range(5))
def test_split_packet_is_sent_only_with_every_piece(taken: int) -> None:
    script = Script(SIZE + 100)
    script.send([bytes(400)], taken)
    assert script.fates == ({"sent": 1} if taken == 4 else {"waiting": 1})


def test_empty_batch_moves_nothing() -> None:
    script = Script(1500)
    script.send([])
    assert script.fates == {}


def test_other_links_are_taken_at_once() -> None:
    script = Script(1500, 1500)
    script.sender.set_links(script.links[1:])
    script.send(numbered(range(3)))
    assert (script.numbers("link0"), len(script.numbers("link1"))) == ([], 3)


class InTurn(Scheduler):
    """A scheduler that lays one packet after the other on the links in turn: a batch of many runs."""

    def schedule(self, payloads: list[bytes], links: Sequence[Link], now: float) -> list[Run]:
        return [Run(1, (links[index % len(links)],)) for index in range(len(payloads))]


@pytest.mark.parametrize(("one", "two"), [(5, 5), (5, 3), (0, 5), (2, 4)])
def test_batch_of_many_runs_is_settled_packet_by_packet(one: int, two: int) -> None:
    script = Script(1500, 1500)
    script.sender.scheduler = InTurn(None)
    script.send(numbered(range(10)), one, two)
    assert script.fates["sent"] == one + two == len(script.frames["link0"]) + len(script.frames["link1"])


def test_pieces_of_a_batch_of_many_runs_keep_their_places() -> None:
    script = Script(SIZE + 100, SIZE + 100)
    script.sender.scheduler = InTurn(None)
    script.send([bytes(50), bytes(250), bytes(150)])
    frames = sorted(script.frames["link0"] + script.frames["link1"], key=lambda frame: frame[3])
    assert [(frame[6], frame[7], len(frame[8])) for frame in frames] == [
        (0, 0, 50), (0, 2, 84), (1, 2, 84), (2, 2, 82), (0, 1, 75), (1, 1, 75),
    ]  # fmt: skip
    assert [number for number, _ in script.numbers("link0")] == [0, 2, 4]


@given(
    st.none() | st.integers(1, 3),
    st.lists(
        st.tuples(st.lists(st.integers(1, 700), max_size=8), st.tuples(*[st.none() | st.integers(0, 20)] * 3)),
        max_size=8,
    ),
)
def test_sent_means_that_the_packet_can_be_had_whole(
    copies: int | None, rounds: list[tuple[list[int], tuple[int | None, ...]]]
) -> None:
    """Whatever the ports take: captured = sent + dropped, and a receiver of all they took gets just what was sent."""
    script = Script(SIZE + 100, SIZE + 150, 1500, copies=copies)
    for sizes, taken in rounds:
        for half in (sizes[::2], sizes[1::2]):
            script.sender.send([bytes(size) for size in half], 0.0)
        script.settle(*taken)
    frames = {frame[3]: frame for name in script.frames for frame in script.frames[name]}
    rejoiner = Rejoiner()
    whole = [
        packet
        for _, epoch, _, sequence, _, _, piece, last_piece, payload in frames.values()
        for packet in rejoiner.join(Piece(epoch, sequence, piece, last_piece, payload), 0.0)
    ]
    assert script.fates.get("sent", 0) == len(whole)
