"""Recovery: each packet once, nothing legitimate rejected, whatever else arrives."""

from __future__ import annotations

import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.recovery import (
    ASIDE,
    DISCARDED,
    PASSED,
    PASSED_ASIDE,
    REACH,
    ROGUE,
    SILENCE,
    TOOK_OVER,
    TRIAL_FRAMES,
    Recovery,
    Strict,
)
from alagg.engine.sequence import HALF, MASK, distance

if TYPE_CHECKING:
    from alagg.engine.reorder import Item

SIZE = 1 << 12
"""Packets that these tests' recoveries remember."""

TABLES = {
    "forward": [(0, TOOK_OVER), (1, PASSED), (2, PASSED), (4, PASSED), (4 + REACH // 2, PASSED)],
    "duplicate": [(0, TOOK_OVER), (0, DISCARDED), (1, PASSED), (1, DISCARDED), (0, DISCARDED), (1, DISCARDED)],
    "out of sequence": [
        (0, TOOK_OVER), (9, PASSED), (8, PASSED), (7, PASSED), (7, DISCARDED), (8, DISCARDED), (10, PASSED),
        (1, PASSED), (9, DISCARDED), (1, DISCARDED), (2, PASSED),
    ],
    "far behind is no reason to reject": [
        (REACH * 3, TOOK_OVER), (5, PASSED_ASIDE), (5, DISCARDED), (6, PASSED_ASIDE),
    ],
    "late LAN": [
        # The other link lags far behind: all of its frames are copies, none is new.
        (0, TOOK_OVER), *((number, PASSED) for number in range(1, SIZE // 2)),
        *((number, DISCARDED) for number in range(SIZE // 2)),
    ],
    "late LAN carries what the first one lost": [
        (0, TOOK_OVER), *((number, PASSED) for number in range(2, 64, 2)),
        *((number, PASSED if number % 2 else DISCARDED) for number in range(64)),
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
        (REACH, TOOK_OVER), (MASK, PASSED_ASIDE), (REACH + HALF - 1, PASSED_ASIDE), (REACH + 1, PASSED),
        (REACH + 1, DISCARDED), (REACH + HALF - 1, DISCARDED), (REACH, DISCARDED), (REACH + 2, PASSED),
    ],
}  # fmt: skip


def accept(recovery: Recovery, epoch: int, sequence: int, now: float, fingerprint: int = 0) -> int:
    """Judge a packet, and let its stream release it as a receiver does."""
    verdict = recovery.accept(epoch, sequence, now, fingerprint)
    out: list[Item] = []
    for stream in recovery.streams():
        stream.reorder.expire(now, out)
    if verdict != DISCARDED:
        assert recovery.stream is not None
        recovery.stream.reorder.push(sequence, b"", now, out)
    return verdict


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_table(table: list[tuple[int, int]]) -> None:
    recovery = Recovery(SIZE)
    assert [(number, accept(recovery, 1, number, 0.0)) for number, _ in table] == table


def test_counters_have_the_names_of_the_standard() -> None:
    recovery = Recovery(SIZE)
    for number in (10, 11, 13, 13, 12, 20, 9, 0x4000_0000):
        accept(recovery, 1, number, 0.0)
    assert recovery.counters() == {
        "passed": 7, "discarded": 1, "out_of_order": 2, "lost": 6, "rogue": 0, "resets": 0,
    }  # fmt: skip


def test_lost_shrinks_when_a_late_packet_comes() -> None:
    recovery = Recovery(SIZE)
    for number in (0, 5):
        accept(recovery, 1, number, 0.0)
    assert recovery.counters()["lost"] == 4
    accept(recovery, 1, 3, 0.0)
    assert recovery.counters()["lost"] == 3


STEPS = st.lists(st.integers(-64, 5) | st.integers(-5, 64), max_size=200)


@given(st.sampled_from([0, MASK - 100]) | st.integers(0, MASK), STEPS)
def test_against_a_set(first: int, steps: list[int]) -> None:
    """What was seen is discarded, what was not passes: just as a set of all numbers would say."""
    recovery = Recovery(SIZE)
    accept(recovery, 1, first, 0.0)
    seen, highest, lowest, discarded = {first}, first, first, 0
    for step in steps:
        number = highest + step & MASK
        verdict = accept(recovery, 1, number, 0.0)
        assert verdict == (DISCARDED if number in seen else PASSED)
        discarded += verdict == DISCARDED
        seen.add(number)
        highest = max(highest, number, key=lambda value: distance(value, first))
        lowest = min(lowest, number, key=lambda value: distance(value, first))
    counted = recovery.counters()
    assert (counted["passed"], counted["discarded"], counted["rogue"]) == (len(seen), discarded, 0)
    assert counted["lost"] == distance(highest, lowest) + 1 - len(seen)


FRAMES = st.lists(
    st.tuples(
        st.sampled_from([1, 2, 3, 4]),
        st.integers(0, 40) | st.sampled_from([MASK, HALF, 1000, 1001]),
        st.sampled_from([0, 1]),
        st.sampled_from([0.0, 0.001, SILENCE]),
    ),
    max_size=200,
)


@given(FRAMES)
def test_each_packet_passes_once(frames: list[tuple[int, int, int, float]]) -> None:
    """Whatever epochs, jumps and contents are mixed: what was seen is a copy, and nothing else is."""
    recovery = Recovery(SIZE)
    seen: set[tuple[int, int, int]] = set()
    now = 0.0
    for epoch, number, content, pause in frames:
        now += pause
        verdict = accept(recovery, epoch, number, now, content)
        assert (verdict == DISCARDED) == ((epoch, number, content) in seen)
        assert verdict != ROGUE
        seen.add((epoch, number, content))
    counted = recovery.counters()
    assert counted["passed"] + counted["discarded"] == len(frames)
    assert counted["lost"] >= 0


def stream(recovery: Recovery, epoch: int, numbers: range, now: float, copies: int = 2) -> list[int]:
    """Give the verdicts for a replicated stream; each copy after the first has to be discarded."""
    verdicts = []
    for number in numbers:
        verdicts.append(accept(recovery, epoch, number, now))
        assert [accept(recovery, epoch, number, now) for _ in range(copies - 1)] == [DISCARDED] * (copies - 1)
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
    accept(recovery, 1, 50, 0.0)
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
        assert accept(recovery, 1, number - 1, now) == DISCARDED
        assert stream(recovery, 2, range(20 + step, 21 + step), now) == [PASSED]
    assert (recovery.epoch, recovery.counters()["resets"]) == (2, 1)


def test_live_stream_is_not_replaced_however_many_frames_another_one_shows() -> None:
    recovery = Recovery(SIZE)
    accept(recovery, 1, 0, 0.0)
    for step in range(1, 200):
        now = step * SILENCE / 4
        assert accept(recovery, 1, step, now) == PASSED
        assert stream(recovery, 2, range(step, step + 1), now) == [PASSED_ASIDE]
    assert recovery.counters()["resets"] == 0


def test_jump_ahead_goes_on_without_a_loss() -> None:
    """Every link was cut for a while: the numbers went on, far beyond the stream's reach."""
    recovery = Recovery(SIZE)
    stream(recovery, 1, range(10), 0.0)
    verdicts = stream(recovery, 1, range(10 * REACH, 10 * REACH + 100), 0.5)
    verdicts += stream(recovery, 1, range(10 * REACH + 100, 10 * REACH + 200), SILENCE)
    assert verdicts == [*[PASSED_ASIDE] * 100, TOOK_OVER, *[PASSED] * 99]


def test_several_restarts_while_a_slow_link_still_brings_the_old_ones() -> None:
    """Frames of all the last epochs come mixed: each number of each passes once."""
    recovery = Recovery(SIZE)
    stream(recovery, 0, range(10), 0.0)
    for number in range(20):
        for epoch in range(ASIDE + 1):
            expected = DISCARDED if epoch == 0 and number < 10 else PASSED if epoch == 0 else PASSED_ASIDE
            assert stream(recovery, epoch, range(number, number + 1), 0.5) == [expected]


# --- what somebody forges ---------------------------------------------------------------------------------------


def forgeries() -> dict[str, object]:
    """Give ways to forge a frame: (epoch, number, fingerprint) from the stream's epoch and number, and chance."""
    return {
        "ahead, within reach": lambda epoch, number, chance: (epoch, number + chance.randrange(1, REACH), 1),
        "ahead, in a chain": lambda epoch, number, chance: (epoch, number + 64 * chance.randrange(1, 1000), 1),
        "far ahead": lambda epoch, number, chance: (epoch, number + (1 << 16) * chance.randrange(1, 9), 1),
        "behind": lambda epoch, number, chance: (epoch, number - chance.randrange(1, HALF), 1),
        "the number itself": lambda epoch, number, chance: (epoch, number, chance.getrandbits(32) | 1),
        "the next number": lambda epoch, number, chance: (epoch, number + 1, chance.getrandbits(32) | 1),
        "another epoch": lambda _, number, chance: (chance.getrandbits(32), number, 1),
        "one other epoch": lambda epoch, number, _: (epoch + 1, number, 1),
        "anything": lambda _, __, chance: (chance.getrandbits(32), chance.getrandbits(32), 1),
    }


@pytest.mark.parametrize("each", [1, 10, 450])
@pytest.mark.parametrize("name", forgeries())
def test_forged_frames_neither_silence_nor_double_a_stream(name: str, each: int) -> None:
    """Forged frames of every kind, rare or ten for each true one: every packet of the stream passes, once."""
    recovery = Recovery(1 << 14, secret=0x1234_5678_9ABC_DEF0)
    chance, forge = random.Random(3), forgeries()[name]
    for number in range(2000):
        now = number / 1000
        if number % each == 0:
            for _ in range(1 if each > 1 else 10):
                epoch, sequence, fingerprint = forge(7, number, chance)  # type: ignore[operator]
                accept(recovery, epoch & MASK, sequence & MASK, now, fingerprint)
        assert accept(recovery, 7, number, now) != DISCARDED
        assert accept(recovery, 7, number, now) == DISCARDED
    assert recovery.counters()["rogue"] == 0


@pytest.mark.parametrize("name", [name for name in forgeries() if "number" not in name])
def test_forged_frames_do_not_put_a_stream_out_of_order(name: str) -> None:
    """Two links, the second one behind; what the first one loses comes late and goes to its place all the same."""
    recovery = Recovery(1 << 14, timeout=0.05, secret=99)
    chance, forge = random.Random(4), forgeries()[name]
    true: list[bytes] = []
    released: list[Item] = []

    def take(epoch: int, sequence: int, now: float, fingerprint: int, item: bytes) -> None:
        for one in recovery.streams():
            one.reorder.expire(now, released)
        if recovery.accept(epoch, sequence & MASK, now, fingerprint) != DISCARDED:
            assert recovery.stream is not None
            recovery.stream.reorder.push(sequence & MASK, item, now, released)

    for number in range(3000):
        now = number / 1000
        true.append(number.to_bytes(4, "big"))
        if number % 7 or number < 10:
            take(7, number, now, 0, true[number])
        if number >= 5:
            take(7, number - 5, now, 0, true[number - 5])
        if number > 20 and number % 3 == 0:
            epoch, sequence, fingerprint = forge(7, number, chance)  # type: ignore[operator]
            take(epoch & MASK, sequence, now, fingerprint, b"forged")
    for one in recovery.streams():
        one.reorder.flush(released)
    assert [item for item in released if item != b"forged"][:2990] == list(true[:2990]), "the end has no second copy"


def test_forged_first_frame_costs_the_stream_nothing() -> None:
    recovery = Recovery(SIZE)
    accept(recovery, 99, 7, 0.0)
    for number in range(3000):
        now = number / 100
        if number % 90 == 0:
            accept(recovery, 99, 8 + number // 90, now, 1)
        assert stream(recovery, 1, range(number, number + 1), now)[0] in (PASSED, PASSED_ASIDE, TOOK_OVER)


def test_restart_in_a_flood_of_random_epochs_loses_and_doubles_nothing() -> None:
    recovery = Recovery(1 << 14, secret=5)
    chance = random.Random(1)
    stream(recovery, 1, range(1000), 0.0)
    for number in range(5000):
        now = 1.0 + number / 1000
        verdict = accept(recovery, 2, number, now)
        assert verdict != DISCARDED
        for _ in range(4):
            accept(recovery, chance.getrandbits(32), chance.getrandbits(32), now)
        assert accept(recovery, 2, number, now) == DISCARDED
    assert (recovery.epoch, recovery.counters()["resets"]) == (2, 1)


def test_flood_of_strange_frames_makes_no_copy_pass() -> None:
    """What others send pushes nothing of the stream out: its copies are known however late they come."""
    recovery = Recovery(1 << 12, secret=6)
    chance = random.Random(2)
    stream(recovery, 1, range(2000), 0.0, copies=1)
    for _ in range(20_000):
        accept(recovery, chance.getrandbits(32) | 2, chance.getrandbits(32), 0.0)
    assert [accept(recovery, 1, number, 0.0) for number in range(2000)] == [DISCARDED] * 2000


def test_memory_does_not_depend_on_what_frames_say() -> None:
    recovery = Recovery(1 << 16)
    randomness = random.Random(1)
    tracemalloc.start()
    try:
        for _ in range(5000):
            accept(recovery, randomness.getrandbits(32), randomness.getrandbits(32), randomness.random())
            accept(recovery, 1, randomness.choice((MASK, 0, HALF, HALF - 1)), randomness.random())
            recovery.retired.clear()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 6_000_000


# --- sessions with keys -----------------------------------------------------------------------------------------


@given(st.lists(st.integers(-100, 100), max_size=300))
def test_strict_window_against_a_set(steps: list[int]) -> None:
    strict, seen, highest = Strict(64), set[int](), 0
    for step in steps:
        number = max(highest + step, 0)
        verdict = strict.accept(number)
        if number <= highest - 64:
            assert verdict == ROGUE
            continue
        assert verdict == (DISCARDED if number in seen else PASSED)
        seen.add(number)
        highest = max(highest, number)


def test_strict_window_is_not_dragged_by_a_replay_and_costs_the_same_for_any_jump() -> None:
    strict = Strict(1 << 10)
    assert strict.accept(0) == PASSED
    assert strict.accept(1 << 62) == PASSED
    assert strict.accept(0) == ROGUE
    assert strict.accept((1 << 62) - 1023) == PASSED
    assert strict.accept((1 << 62) - 1024) == ROGUE
    assert strict.accept(1 << 62) == DISCARDED
