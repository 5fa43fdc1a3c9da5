"""Seen: what came of late is remembered, a bounded number of packets, whatever they say."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.seen import SECONDS, SMALLEST, Seen

WORD = st.integers(0, 2**32 - 1)


PACKETS = st.tuples(st.sampled_from([1, 2]), st.integers(0, 20) | WORD, st.integers(0, 2) | WORD)


@given(st.lists(PACKETS, max_size=200))
def test_against_a_set(packets: list[tuple[int, int, int]]) -> None:
    seen, known = Seen(1 << 12, 77), set[tuple[int, int, int]]()
    for packet in packets:
        assert seen.add(*packet) == (packet not in known)
        known.add(packet)


def test_a_stream_is_remembered_over_the_whole_size() -> None:
    """A slow link is behind by as many packets as are remembered: hardly a copy of it passes."""
    size = 1 << 14
    seen = Seen(size, 1)
    twice = 0
    for number in range(4 * size):
        assert seen.add(1, number, number)
        if number >= size:
            twice += seen.add(1, number - size, number - size)
    assert twice < 3 * size // 100


def test_memory_grows_with_what_comes_and_no_further() -> None:
    seen = Seen(1 << 14)
    assert seen.size == SMALLEST
    for second in range(20):
        for number in range(SMALLEST // SECONDS):
            seen.add(1, SMALLEST * second + number, 0)
        seen.tick()
    assert seen.size == SMALLEST
    for number in range(1 << 18):
        seen.add(2, number, 0)
    assert seen.size == 1 << 14


def test_growing_forgets_nothing() -> None:
    seen = Seen(1 << 14, 3)
    for number in range(1 << 13):
        assert seen.add(1, number, 0)
    assert not any(seen.add(1, number, 0) for number in range(1 << 13))


def test_forged_frames_do_not_push_a_packet_out() -> None:
    """A thousand frames that claim its number, or any other, come between a packet and its copy."""
    chance = random.Random(1)
    seen = Seen(1 << 14, 0xFEED_FACE_CAFE_BEEF)
    for number in range(1 << 14):
        seen.add(1, number, 0)
    for number in range(50):
        assert seen.add(9, number, 0)
        for _ in range(1000):
            seen.add(9, number, chance.getrandbits(32) | 1)
        assert not seen.add(9, number, 0)
