"""Recovery: each number once, nothing legitimate rejected, whatever else arrives."""

from __future__ import annotations

import random
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.recovery import (
    ASIDE,
    DISCARDED,
    PASSED,
    PASSED_ASIDE,
    ROGUE,
    SILENCE,
    TOOK_OVER,
    TRIAL_FRAMES,
    Recovery,
)
from alagg.engine.sequence import HALF, MASK, distance

SIZE = 64
"""Numbers that the windows of these tests remember."""

TABLES = {
    "forward": [(0, TOOK_OVER), (1, PASSED), (2, PASSED), (4, PASSED), (4 + SIZE, PASSED)],
    "duplicate": [(0, TOOK_OVER), (0, DISCARDED), (1, PASSED), (1, DISCARDED), (0, DISCARDED), (1, DISCARDED)],
    "out of sequence": [
        (0, TOOK_OVER), (9, PASSED), (8, PASSED), (7, PASSED), (7, DISCARDED), (8, DISCARDED), (10, PASSED),
        (1, PASSED), (9, DISCARDED), (1, DISCARDED), (2, PASSED),
    ],
    "edges of the window": [
        (0, TOOK_OVER), (SIZE - 1, PASSED), (0, DISCARDED), (1, PASSED), (SIZE, PASSED), (1, DISCARDED),
        (2, PASSED), (0, ROGUE), (SIZE + 1, PASSED), (1, ROGUE), (2, DISCARDED), (2 * SIZE + 1, PASSED),
        (SIZE + 1, ROGUE), (SIZE + 2, PASSED), (2 * SIZE + 1, DISCARDED), (3 * SIZE + 2, PASSED_ASIDE),
    ],
    "expiry": [
        # A slot that served an older number does not make its successor in the ring look seen.
        (0, TOOK_OVER), (1, PASSED), (SIZE, PASSED), (SIZE + 1, PASSED), (SIZE + 2, PASSED), (2 * SIZE + 1, PASSED),
        (2 * SIZE, PASSED), (SIZE + 2, DISCARDED), (SIZE + 3, PASSED), (2 * SIZE + 1, DISCARDED),
    ],
    "late LAN": [
        # The other link lags behind by most of the window: all of its frames are copies, none is new.
        (0, TOOK_OVER), *((number, PASSED) for number in range(1, SIZE)),
        *((number, DISCARDED) for number in range(SIZE)),
    ],
    "late LAN carries what the first one lost": [
        (0, TOOK_OVER), *((number, PASSED) for number in range(2, SIZE, 2)),
        *((number, PASSED if number % 2 else DISCARDED) for number in range(SIZE)),
    ],
    "wrap of the number": [
        (MASK - 1, TOOK_OVER), (MASK, PASSED), (0, PASSED), (MASK, DISCARDED), (0, DISCARDED), (2, PASSED),
        (1, PASSED), (MASK - 1, DISCARDED), (1, DISCARDED),
    ],
    "wrap within a jump": [
        (MASK - 5, TOOK_OVER), (30, PASSED), (MASK - 4, PASSED), (MASK, PASSED), (29, PASSED), (MASK - 5, DISCARDED),
        (30, DISCARDED), (MASK, DISCARDED),
    ],
    "before the first": [(5, TOOK_OVER), (3, PASSED), (4, PASSED), (3, DISCARDED), (5, DISCARDED)],
    "jump to the maximum": [
        (100, TOOK_OVER), (MASK, ROGUE), (100 + HALF - 1, PASSED_ASIDE), (101, PASSED), (101, DISCARDED),
        (100 + HALF - 1, DISCARDED), (100, DISCARDED), (102, PASSED),
    ],
}  # fmt: skip


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_table(table: list[tuple[int, int]]) -> None:
    recovery = Recovery(SIZE)
    assert [(number, recovery.accept(1, number, 0.0)) for number, _ in table] == table


def counters(recovery: Recovery) -> tuple[int, ...]:
    return tuple(recovery.counters().values())


def test_counters_have_the_names_of_the_standard() -> None:
    recovery = Recovery(SIZE)
    for number in (10, 11, 13, 13, 12, 20, 9, 0x4000_0000 + SIZE):
        recovery.accept(1, number, 0.0)
    assert recovery.counters() == {
        "passed": 7, "discarded": 1, "out_of_order": 2, "lost": 6, "rogue": 0, "resets": 0,
    }  # fmt: skip


def test_lost_shrinks_when_a_late_packet_comes() -> None:
    recovery = Recovery(SIZE)
    for number in (0, 5):
        recovery.accept(1, number, 0.0)
    assert recovery.counters()["lost"] == 4
    recovery.accept(1, 3, 0.0)
    assert recovery.counters()["lost"] == 3


STEPS = st.lists(st.integers(-SIZE - 5, 5) | st.integers(-5, SIZE), max_size=200)


@given(st.sampled_from([0, MASK - 100]) | st.integers(0, MASK), STEPS)
def test_against_a_set(first: int, steps: list[int]) -> None:
    """Within reach of the window, the ring says exactly what a set of all numbers would say."""
    recovery = Recovery(SIZE)
    recovery.accept(1, first, 0.0)
    seen, highest, lowest, rogue, discarded = {first}, first, first, 0, 0
    for step in steps:
        number = highest + step & MASK
        verdict = recovery.accept(1, number, 0.0)
        if distance(number, highest) <= -SIZE:
            assert verdict == ROGUE
            rogue += 1
            continue
        assert verdict == (DISCARDED if number in seen else PASSED)
        discarded += verdict == DISCARDED
        seen.add(number)
        highest = max(highest, number, key=lambda value: distance(value, first))
        lowest = min(lowest, number, key=lambda value: distance(value, first))
    counted = recovery.counters()
    assert counted["passed"] == len(seen)
    assert counted["discarded"] == discarded
    assert counted["rogue"] == rogue
    assert counted["lost"] == distance(highest, lowest) + 1 - len(seen)


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3, 4]),
        st.integers(0, 40) | st.sampled_from([MASK, HALF, 1000, 1001]),
        st.sampled_from([0.0, 0.001, SILENCE]),
    ),
    max_size=200,
)


@given(FRAMES)
def test_no_first_copy_is_ever_discarded(frames: list[tuple[int, int, float]]) -> None:
    """Whatever epochs and jumps are mixed: only what was seen is called a copy, only what is far behind a rogue."""
    recovery = Recovery(SIZE)
    seen: set[tuple[int, int]] = set()
    now = 0.0
    for epoch, number, pause in frames:
        now += pause
        verdict = recovery.accept(epoch, number, now)
        assert verdict != DISCARDED or (epoch, number) in seen
        if verdict == ROGUE:
            assert recovery._current is not None
            assert epoch == recovery.epoch
            assert distance(number, recovery._current.highest) <= -SIZE
        seen.add((epoch, number))


@given(FRAMES)
def test_every_frame_is_counted_once(frames: list[tuple[int, int, float]]) -> None:
    recovery = Recovery(SIZE)
    for epoch, number, now in frames:
        recovery.accept(epoch, number, now)
    counted = recovery.counters()
    assert counted["passed"] + counted["discarded"] + counted["rogue"] == len(frames)
    assert counted["lost"] >= 0


def stream(recovery: Recovery, epoch: int, numbers: range, now: float, copies: int = 2) -> list[int]:
    """Give the verdicts for a replicated stream; each copy after the first has to be discarded."""
    verdicts = []
    for number in numbers:
        verdicts.append(recovery.accept(epoch, number, now))
        assert [recovery.accept(epoch, number, now) for _ in range(copies - 1)] == [DISCARDED] * (copies - 1)
    return verdicts


def test_restarted_sender_passes_at_once_and_takes_over_when_the_old_one_is_silent() -> None:
    recovery = Recovery(SIZE)
    stream(recovery, 1, range(1000), 10.0)
    restart = stream(recovery, 2, range(100), 10.1)
    assert restart == [PASSED_ASIDE] * 100
    assert recovery.epoch == 1
    later = stream(recovery, 2, range(100, 110), 10.0 + SILENCE)
    assert later == [TOOK_OVER, *[PASSED] * 9]
    assert (recovery.epoch, recovery.counters()["resets"]) == (2, 1)


def test_restarted_sender_needs_several_packets_to_take_over() -> None:
    recovery = Recovery(SIZE)
    recovery.accept(1, 50, 0.0)
    verdicts = stream(recovery, 2, range(TRIAL_FRAMES), SILENCE)
    assert verdicts == [*[PASSED_ASIDE] * (TRIAL_FRAMES - 1), TOOK_OVER]


def test_late_frames_of_the_old_epoch_pass_once_and_never_flip_it_back() -> None:
    recovery = Recovery(SIZE)
    stream(recovery, 1, range(0, 100, 2), 0.0)
    stream(recovery, 2, range(20), SILENCE)
    assert recovery.epoch == 2
    for step, number in enumerate(range(61, 99, 2)):
        now = SILENCE + 0.1 * step
        assert stream(recovery, 1, range(number, number + 1), now) == [PASSED_ASIDE]
        assert recovery.accept(1, number - 1, now) == DISCARDED
        assert stream(recovery, 2, range(20 + step, 21 + step), now) == [PASSED]
    assert (recovery.epoch, recovery.counters()["resets"]) == (2, 1)


def test_live_stream_is_not_replaced_however_many_frames_another_one_shows() -> None:
    recovery = Recovery(SIZE)
    recovery.accept(1, 0, 0.0)
    for step in range(1, 200):
        now = step * SILENCE / 4
        assert recovery.accept(1, step, now) == PASSED
        assert stream(recovery, 2, range(step, step + 1), now) == [PASSED_ASIDE]
    assert recovery.counters()["resets"] == 0


def test_numbers_far_behind_take_over_only_after_silence() -> None:
    recovery = Recovery(SIZE)
    recovery.accept(1, 10_000, 0.0)
    assert recovery.accept(1, 5, SILENCE / 2) == ROGUE
    verdicts = [recovery.accept(1, number, SILENCE) for number in range(TRIAL_FRAMES)]
    assert verdicts == [*[PASSED_ASIDE] * (TRIAL_FRAMES - 1), TOOK_OVER]


def test_jump_ahead_goes_on_without_a_loss() -> None:
    """Every link was cut for a while: the numbers went on, far beyond the window."""
    recovery = Recovery(SIZE)
    stream(recovery, 1, range(10), 0.0)
    verdicts = stream(recovery, 1, range(10_000, 10_100), 0.5)
    verdicts += stream(recovery, 1, range(10_100, 10_200), SILENCE)
    assert verdicts == [*[PASSED_ASIDE] * 100, TOOK_OVER, *[PASSED] * 99]


def test_stranger_that_took_over_an_idle_stream_gives_it_back() -> None:
    recovery = Recovery(SIZE)
    stream(recovery, 1, range(10), 0.0)
    stream(recovery, 99, range(TRIAL_FRAMES), SILENCE)
    assert recovery.epoch == 99
    assert stream(recovery, 1, range(10, 20), SILENCE) == [PASSED_ASIDE] * 10
    verdicts = stream(recovery, 1, range(20, 40), 2 * SILENCE)
    assert verdicts == [TOOK_OVER, *[PASSED] * 19]


def test_several_restarts_while_a_slow_link_still_brings_the_old_ones() -> None:
    """Frames of all the last epochs come mixed: each number of each passes once."""
    recovery = Recovery(SIZE)
    stream(recovery, 0, range(10), 0.0)
    for number in range(20):
        for epoch in range(ASIDE + 1):
            expected = DISCARDED if epoch == 0 and number < 10 else PASSED if epoch == 0 else PASSED_ASIDE
            assert stream(recovery, epoch, range(number, number + 1), 0.5) == [expected]


def test_stream_that_is_heard_is_not_forgotten_for_strangers() -> None:
    """Of the streams aside, the one heard longest ago makes room."""
    recovery = Recovery(SIZE)
    recovery.accept(1, 0, 0.0)
    for number in range(100):
        assert stream(recovery, 2, range(number, number + 1), 0.5) == [PASSED_ASIDE]
        for stranger in range(ASIDE - 1):
            recovery.accept(1000 + ASIDE * number + stranger, 7, 0.5)
        assert recovery.accept(2, number, 0.5) == DISCARDED


def test_memory_does_not_depend_on_what_frames_say() -> None:
    size = 1 << 16
    recovery = Recovery(size)
    randomness = random.Random(1)
    tracemalloc.start()
    try:
        for _ in range(5000):
            recovery.accept(randomness.getrandbits(32), randomness.getrandbits(32), randomness.random())
            recovery.accept(1, randomness.choice((MASK, 0, HALF, HALF - 1)), randomness.random())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < (ASIDE + 3) * size


def test_good_traffic_is_untouched_by_random_frames_in_between() -> None:
    recovery = Recovery(SIZE)
    randomness = random.Random(2)
    recovery.accept(1, 0, 0.0)
    for number in range(1, 5000):
        for _ in range(randomness.randrange(3)):
            recovery.accept(randomness.getrandbits(32), randomness.getrandbits(32), number / 1000)
        assert stream(recovery, 1, range(number, number + 1), number / 1000) == [PASSED]
    assert recovery.counters()["resets"] == 0
