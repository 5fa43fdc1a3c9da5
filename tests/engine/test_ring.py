"""Ring: a stream's last numbers are remembered with what they said, as far as memory was granted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.ring import AHEAD, COPY, NEW, OTHER, SECONDS, SMALLEST, Ring
from alagg.engine.sequence import MASK

LARGEST = 1 << 12
FIRST = st.sampled_from([0, 1, MASK - 40]) | st.integers(0, MASK)


@given(FIRST, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 2)), max_size=200))
def test_against_a_dictionary(first: int, steps: list[tuple[int, int]]) -> None:
    ring, known = Ring(LARGEST, 0.0), dict[int, int]()
    for step, content in steps:
        number = first + step & MASK
        expected = NEW if number not in known else COPY if known[number] == content else OTHER
        assert ring.has(number, content) == (expected == COPY)
        assert ring.put(number, content, 0.0) == expected
        known.setdefault(number, content)


@given(FIRST, st.integers(0, MASK))
def test_an_empty_ring_has_nothing(number: int, content: int) -> None:
    for size in (2, LARGEST):
        assert not Ring(size, 0.0).has(number, content)
        assert Ring(size, 0.0).put(number, content, 0.0) == NEW


def test_what_comes_quickly_is_remembered_up_to_the_bound() -> None:
    ring = Ring(LARGEST, 0.0)
    for number in range(2 * LARGEST):
        assert ring.put(number, number, 0.0) == NEW
    assert ring.size == LARGEST
    assert all(ring.has(number, number) for number in range(LARGEST, 2 * LARGEST))
    assert not any(ring.has(number, number) for number in range(LARGEST))


def test_what_comes_slowly_takes_no_more_memory() -> None:
    ring = Ring(LARGEST, 0.0)
    pause = SECONDS / SMALLEST
    for number in range(4 * SMALLEST):
        ring.put(number, number, number * pause)
    assert ring.size <= 2 * SMALLEST


def test_numbers_ahead_have_places_of_their_own_and_earn_them() -> None:
    ring = Ring(LARGEST, 0.0)
    assert ring.keeps(SMALLEST // AHEAD - 1)
    assert not ring.keeps(SMALLEST // AHEAD)
    assert ring.size == SMALLEST
    for _ in range(SMALLEST // 2):
        ring.keeps(SMALLEST // AHEAD)
    assert ring.size == 2 * SMALLEST
    assert ring.keeps(SMALLEST // AHEAD)
    assert [Ring(2, 0.0).keeps(ahead) for ahead in (0, 1)] == [True, False]
