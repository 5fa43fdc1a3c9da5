"""Reorder: in order, nothing dropped, nothing held past its deadline."""

from __future__ import annotations

import itertools
from math import inf
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.fragment import Piece
from alagg.engine.reorder import (
    BELIEVED,
    DOUBT,
    FRESH,
    MAX_BYTES,
    SLOTS,
    Item,
    Reorder,
)
from alagg.engine.sequence import MASK, distance

if TYPE_CHECKING:
    from collections.abc import Iterable

TIMEOUT = 0.125
"""Seconds; all times here are sums of powers of two, so that they compare exactly."""


def item(sequence: int, size: int = 0) -> Item:
    """Give a packet that carries its number, and zeros up to `size` bytes."""
    return (sequence & MASK).to_bytes(4, "big").ljust(size, b"\0")


def number(released: Item) -> int:
    return int.from_bytes(released.payload if isinstance(released, Piece) else released[:4], "big")


class Script:
    """A buffer with what it has released so far: the tests read as push, expect."""

    def __init__(self, first: int = 0, timeout: float | None = TIMEOUT) -> None:
        self.reorder = Reorder(timeout)
        self.released: list[Item] = []
        self.push(first)
        assert self.out() == [first]

    def push(self, *sequences: int, now: float = 0.0, size: int = 0) -> None:
        for sequence in sequences:
            self.reorder.push(sequence & MASK, item(sequence, size), now, self.released)

    def out(self) -> list[int]:
        """Give the sequences that were released since the last look."""
        sequences = [number(entry) for entry in self.released]
        self.released.clear()
        return sequences


def test_packets_in_order_never_wait() -> None:
    script = Script()
    for sequence in range(1, 1000):
        script.push(sequence)
        assert script.out() == [sequence]
    assert script.reorder.deadline() == inf


def test_gap_holds_and_its_filling_releases() -> None:
    script = Script()
    script.push(2, 3, 5)
    assert script.out() == []
    assert script.reorder.held == 3
    script.push(1)
    assert script.out() == [1, 2, 3]
    script.push(4)
    assert script.out() == [4, 5]
    assert (script.reorder.held, script.reorder.deadline()) == (0, inf)
    assert (script.reorder.given_up, script.reorder.late) == (0, 0)


def test_deadline_is_that_of_the_packet_that_came_first() -> None:
    script = Script()
    script.push(5, now=1.0)
    script.push(2, now=1.05)
    assert script.reorder.deadline() == 1.0 + TIMEOUT
    script.reorder.expire(1.0 + TIMEOUT - 0.001, script.released)
    assert script.out() == []
    script.reorder.expire(1.0 + TIMEOUT, script.released)
    assert script.out() == [2, 5]
    assert script.reorder.given_up == 3


def test_deadline_moves_on_when_the_first_packet_was_released() -> None:
    script = Script()
    script.push(2, now=1.0)
    script.push(4, now=1.05)
    script.push(1, now=1.06)
    assert script.out() == [1, 2]
    assert script.reorder.deadline() == pytest.approx(1.05 + TIMEOUT)


def test_late_packet_is_delivered_and_counted() -> None:
    script = Script()
    script.push(2)
    script.reorder.expire(TIMEOUT, script.released)
    script.push(1, now=TIMEOUT)
    script.push(3, now=TIMEOUT)
    assert script.out() == [2, 1, 3]
    assert script.reorder.late == 1


def test_passed_by_all_gives_up_without_a_timer() -> None:
    script = Script()
    script.push(2, 4, 6)
    script.reorder.passed_by_all(3, 0.0, script.released)
    assert script.out() == [2, 4]
    assert script.reorder.held == 1
    script.reorder.passed_by_all(6, 0.0, script.released)
    assert script.out() == [6]
    assert script.reorder.given_up == 3


def test_awaits_links_that_have_not_come_as_far_as_the_expected_number() -> None:
    script = Script(first=MASK - 1)
    script.push(MASK)
    assert [script.reorder.awaits(number) for number in (MASK - 1, MASK, 0, 1)] == [True, True, False, False]


def test_passed_by_all_behind_the_expected_number_does_nothing() -> None:
    script = Script(first=10)
    script.push(12)
    script.reorder.passed_by_all(10, 0.0, script.released)
    assert script.out() == []


def test_wrap_is_nothing_special() -> None:
    script = Script(first=MASK - 1)
    script.push(1, 0)
    assert script.out() == []
    script.push(MASK)
    assert script.out() == [MASK, 0, 1]


def test_flush_releases_in_order_across_the_wrap_and_starts_anew() -> None:
    script = Script(first=MASK - 3)
    script.push(1, MASK, 3, MASK - 1)
    script.reorder.flush(script.released)
    assert script.out() == [MASK - 1, MASK, 1, 3]
    assert (script.reorder.held, script.reorder.deadline()) == (0, inf)
    script.push(1_000_000)
    assert script.out() == [1_000_000]
    script.push(1_000_002)
    assert script.reorder.deadline() == TIMEOUT


def test_switched_off_nothing_waits() -> None:
    script = Script(timeout=0.0)
    script.push(3, 1, 2, 4)
    assert script.out() == [3, 1, 2, 4]
    assert script.reorder.late == 2


def test_switching_off_releases_what_waits() -> None:
    script = Script()
    script.push(2, 4)
    script.reorder.set_timeout(0.0, script.released)
    assert script.out() == [2, 4]
    script.push(5, 3)
    assert script.out() == [5, 3]
    assert script.reorder.held == 0


def test_buffer_as_long_as_it_is_holds() -> None:
    script = Script()
    script.push(SLOTS)
    assert script.out() == []
    assert script.reorder.overflows == 0


def test_jump_beyond_the_buffer_releases_what_waits_first() -> None:
    script = Script()
    script.push(2, 5)
    script.push(SLOTS + 1)
    assert script.out() == []
    script.push(1_000_000)
    assert script.out() == [2, 5, SLOTS + 1, 1_000_000]
    assert (script.reorder.overflows, script.reorder.held) == (1, 0)
    assert script.reorder.given_up == 1_000_000 - 4


def test_bytes_are_bounded_and_the_lowest_numbers_go_first() -> None:
    script = Script()
    size = MAX_BYTES // 16
    script.push(*range(10, 26), size=size)
    assert script.out() == []
    script.push(5, size=size)
    assert script.out() == [5]
    script.push(26, size=size)
    assert script.out() == [*range(10, 27)]
    assert script.reorder.overflows == 2


def test_pieces_are_put_in_order_as_they_are_and_their_payload_counts() -> None:
    script = Script()
    pieces = [Piece(1, sequence, sequence - 1, 3, bytes(MAX_BYTES // 3)) for sequence in range(1, 5)]
    for piece in (pieces[3], pieces[1], pieces[2]):
        script.reorder.push(piece.sequence, piece, 0.0, script.released)
    assert (script.released, script.reorder.held, script.reorder.overflows) == ([], 3, 0)
    script.reorder.push(1, pieces[0], 0.0, script.released)
    assert all(released is piece for released, piece in zip(script.released, pieces, strict=True))
    script.released.clear()
    script.reorder.push(10, Piece(1, 10, 0, 1, bytes(MAX_BYTES)), 0.0, script.released)
    assert script.released == []
    script.push(9)
    assert (len(script.released), script.reorder.overflows) == (2, 1)


def test_packets_that_came_together_go_together() -> None:
    script = Script()
    script.push(5, 2, 9, 7, now=1.0)
    script.push(12, now=1.0625)
    script.push(1, now=1.0625)
    assert script.out() == [1, 2]
    assert script.reorder.deadline() == 1.0 + TIMEOUT
    script.reorder.expire(1.0 + TIMEOUT, script.released)
    assert script.out() == [5, 7, 9]
    assert (script.reorder.held, script.reorder.deadline()) == (1, 1.0625 + TIMEOUT)


def test_packets_that_came_together_across_the_wrap_go_together() -> None:
    script = Script(first=MASK - 3)
    script.push(MASK, 1, MASK - 1, now=1.0)
    script.push(3, now=2.0)
    script.reorder.expire(1.0 + TIMEOUT, script.released)
    assert script.out() == [MASK - 1, MASK, 1]
    assert script.reorder.deadline() == 2.0 + TIMEOUT


class Model:
    """The rule without the bookkeeping: the time of each packet that waits, in the order of arrival."""

    def __init__(self, first: int) -> None:
        self.waiting: dict[int, float] = {}
        self.next = first
        self.advanced = 0.0

    def push(self, sequence: int, now: float) -> list[int]:
        if distance(sequence, self.next) < 0:
            return [sequence]
        if sequence == self.next:
            self.advanced = now
        self.waiting[sequence] = now
        return self.run()

    def lowest(self) -> int:
        return min(self.waiting, key=lambda other: distance(other, self.next))

    def in_doubt(self) -> bool:
        return distance(self.lowest(), self.next) > DOUBT * len(self.waiting)

    def run(self) -> list[int]:
        released = []
        while self.waiting.pop(self.next, None) is not None:
            released.append(self.next)
            self.next = self.next + 1 & MASK
        return released

    def passed_by_all(self, sequence: int) -> list[int]:
        released = []
        while self.waiting and distance(sequence, self.next) >= 0:
            if distance(self.lowest(), self.next) > BELIEVED + DOUBT * len(self.waiting):
                break
            released += self.skip()
        return released

    def skip(self) -> list[int]:
        self.next = self.lowest()
        return self.run()

    def expire(self, now: float) -> list[int]:
        released = []
        while self.deadline() <= now:
            since = next(iter(self.waiting.values()))
            top = max(
                (number for number, time in self.waiting.items() if time == since),
                key=lambda other: distance(other, self.next),
            )
            goes_on = now - self.advanced < FRESH * TIMEOUT or self.in_doubt()
            if self.advanced > since and goes_on:
                alone = [number for number, time in self.waiting.items() if time == since]
                released += sorted(alone, key=lambda other: distance(other, self.next))
                self.waiting = {number: time for number, time in self.waiting.items() if time != since}
            else:
                while self.waiting and distance(top, self.next) >= 0:
                    released += self.skip()
        return released

    def deadline(self) -> float:
        return next(iter(self.waiting.values()), inf) + TIMEOUT


@given(
    st.sampled_from([0, MASK - 20]),
    st.lists(
        st.tuples(
            st.sampled_from(["push", "push", "passed"]),
            st.lists(st.integers(1, 60), min_size=1, max_size=8),
            st.sampled_from([0.0, TIMEOUT / 8, TIMEOUT / 2]),
        )
    ),
)
def test_batches_wait_as_if_each_of_their_packets_waited_alone(
    first: int, batches: list[tuple[str, list[int], float]]
) -> None:
    script, model, now = Script(first), Model(first + 1), 0.0
    pushed = set()
    for verb, offsets, pause in batches:
        now += pause
        script.reorder.expire(now, script.released)
        assert script.out() == model.expire(now)
        for offset in offsets:
            sequence = first + offset & MASK
            if verb == "passed":
                script.reorder.passed_by_all(sequence, now, script.released)
                assert script.out() == model.passed_by_all(sequence)
            elif offset not in pushed:
                pushed.add(offset)
                script.push(sequence, now=now)
                assert script.out() == model.push(sequence, now)
        assert (script.reorder.held, script.reorder.deadline()) == (len(model.waiting), model.deadline())


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[int, list[tuple[int, float]]]:
    """Give a first number and arrivals (offset from it, pause before): shuffled, with losses, sometimes far apart."""
    first = draw(st.sampled_from([0, MASK - 20, MASK - 2 * SLOTS]))
    offsets = draw(st.lists(st.integers(1, 60) | st.integers(1, 3 * SLOTS), unique=True, max_size=60))
    pauses = st.sampled_from([0.0, TIMEOUT / 8, TIMEOUT])
    return first, [(offset, draw(pauses)) for offset in offsets]


@given(deliveries())
def test_order_completeness_and_deadline(delivery: tuple[int, list[tuple[int, float]]]) -> None:
    """Everything comes out once, sorted except what is late, and never later than its deadline."""
    first, arrivals = delivery
    script, now = Script(first), 0.0
    came: dict[int, float] = {}
    in_order: list[int] = []
    for offset, pause in arrivals:
        now += pause
        alone = script.reorder.alone
        script.reorder.expire(now, script.released)
        released = script.out()
        in_order += released if script.reorder.alone == alone else []
        late = script.reorder.late
        came[first + offset & MASK] = now
        script.push(first + offset, now=now)
        fresh = script.out()
        if script.reorder.late == late:
            in_order += fresh
        else:
            assert fresh == [first + offset & MASK]
        came = {sequence: since for sequence, since in came.items() if sequence not in {*released, *fresh}}
        assert all(now - since < TIMEOUT for since in came.values())
        assert script.reorder.held == len(came)
    script.reorder.flush(script.released)
    in_order += script.out()
    assert is_rising(in_order)
    if not script.reorder.alone:
        assert len(in_order) + script.reorder.late == len(arrivals)


def is_rising(sequences: Iterable[int]) -> bool:
    return all(distance(after, before) > 0 for before, after in itertools.pairwise(sequences))


@given(st.permutations(range(1, 30)), st.integers(0, MASK))
def test_any_order_without_losses_comes_out_sorted(order: list[int], first: int) -> None:
    script = Script(first)
    script.push(*(first + offset for offset in order))
    assert script.out() == [first + offset & MASK for offset in range(1, 30)]
    assert (script.reorder.held, script.reorder.late, script.reorder.given_up) == (0, 0, 0)


def test_memory_stays_bounded_while_one_packet_waits_and_others_pass() -> None:
    """Packets held and released before the one that came first leave nothing behind but bounded bookkeeping."""
    script = Script()
    script.push(SLOTS)
    for sequence in range(1, SLOTS - 1, 2):
        script.push(sequence + 1, sequence, now=sequence)
    assert script.reorder.held == 1
    assert len(script.reorder._arrivals) <= SLOTS
    script.push(SLOTS - 1)
    assert (script.reorder.held, len(script.reorder._arrivals)) == (0, 0)


def test_automatic_timeout_grows_with_packets_that_were_later_than_it() -> None:
    script = Script(timeout=None)
    before = script.reorder.timeout
    script.push(2)
    script.reorder.expire(before, script.released)
    script.push(1, now=before)
    assert script.reorder.timeout > before


def test_packets_from_before_the_first_say_nothing_of_the_lateness() -> None:
    script = Script(first=10, timeout=None)
    script.push(8, 9)
    assert script.out() == [8, 9]
    assert (script.reorder.late, script.reorder.lateness.mean) == (2, None)


def test_filled_gaps_measure_the_lateness() -> None:
    script = Script(timeout=None)
    for sequence in range(1, 200, 2):
        script.push(sequence + 1, now=sequence)
        script.push(sequence, now=sequence + 0.03)
    assert script.reorder.lateness.mean == pytest.approx(0.03)
