"""The emulator's decisions, in virtual time and against statistics."""

from __future__ import annotations

import dataclasses
import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.lab.impairment import DelayLine, Impairment, Settings, settings_from

FRAMES = [number.to_bytes(4, "big") * 16 for number in range(20_000)]
"""Frames of 64 bytes that all differ."""


def impairment(seed: int = 1, **values: float) -> Impairment:
    return Impairment(Random(seed), Settings(**values))  # type: ignore[arg-type]


def numbers(arrivals: list[tuple[float, bytes]]) -> list[int]:
    return [int.from_bytes(frame[:4], "big") for _, frame in arrivals]


def near(share: float, of: int = len(FRAMES)) -> object:
    """Five standard deviations of a binomial count: wrong once in two million runs, and the seed is fixed."""
    return pytest.approx(share * of, abs=5 * (of * share * (1 - share)) ** 0.5)


def test_a_clean_link_gives_every_frame_at_once_and_in_order() -> None:
    assert impairment().decide(FRAMES, 7.0) == [(7.0, frame) for frame in FRAMES]


def test_delay_moves_every_frame_by_the_same_time() -> None:
    assert impairment(delay=0.05).decide(FRAMES[:3], 1.0) == [(1.05, frame) for frame in FRAMES[:3]]


@pytest.mark.parametrize("share", [0.01, 0.2, 0.8, 1.0])
def test_loss_has_the_wanted_share(share: float) -> None:
    tested = impairment(loss=share)
    assert len(tested.decide(FRAMES, 0.0)) == near(1 - share)
    assert tested.counters.lost == near(share)


@pytest.mark.parametrize(("loss", "burst"), [(0.05, 4.0), (0.2, 10.0), (0.5, 3.0)])
def test_bursts_have_the_wanted_share_and_length(loss: float, burst: float) -> None:
    tested = impairment(loss=loss, burst=burst)
    arrived = set(numbers(tested.decide(FRAMES, 0.0)))
    runs = [len(list(run)) for lost, run in itertools.groupby(n not in arrived for n in range(len(FRAMES))) if lost]
    assert sum(runs) / len(FRAMES) == pytest.approx(loss, rel=0.2)
    assert sum(runs) / len(runs) == pytest.approx(burst, rel=0.2)


def test_independent_losses_hardly_come_in_a_row() -> None:
    arrived = set(numbers(impairment(loss=0.2).decide(FRAMES, 0.0)))
    runs = [len(list(run)) for lost, run in itertools.groupby(n not in arrived for n in range(len(FRAMES))) if lost]
    assert sum(runs) / len(runs) == pytest.approx(1 / 0.8, rel=0.1)


def test_duplicates_arrive_twice_unchanged() -> None:
    tested = impairment(duplicate=0.3)
    got = numbers(tested.decide(FRAMES, 0.0))
    assert len(got) - len(FRAMES) == tested.counters.duplicated == near(0.3)
    assert set(got) == set(range(len(FRAMES)))


def test_corruption_flips_one_bit_of_the_wanted_share() -> None:
    tested = impairment(corrupt=0.3)
    flipped = [
        int.from_bytes(bytes(a ^ b for a, b in zip(sent, got, strict=True)), "big").bit_count()
        for sent, (_, got) in zip(FRAMES, tested.decide(FRAMES, 0.0), strict=True)
    ]
    assert set(flipped) == {0, 1}
    assert sum(flipped) == tested.counters.corrupted == near(0.3)


def test_reordered_frames_skip_the_delay() -> None:
    tested = impairment(delay=0.05, reorder=0.2)
    times = [at for at, _ in tested.decide(FRAMES, 1.0)]
    assert set(times) == {1.0, 1.05}
    assert times.count(1.0) == tested.counters.reordered == near(0.2)


def test_jitter_stays_within_its_bounds_and_fills_them() -> None:
    times = [at for at, _ in impairment(delay=0.02, jitter=0.01).decide(FRAMES, 0.0)]
    assert 0.01 <= min(times) < 0.0101
    assert 0.0299 < max(times) <= 0.03
    assert sum(times) / len(times) == pytest.approx(0.02, rel=0.01)


def test_jitter_reorders_unless_told_not_to() -> None:
    loose, strict = impairment(delay=0.02, jitter=0.01), impairment(delay=0.02, jitter=0.01, in_order=1)
    for tested, ordered in ((loose, False), (strict, True)):
        times = [tested.decide([frame], number / 1000)[0][0] for number, frame in enumerate(FRAMES[:1000])]
        assert (times == sorted(times)) is ordered


def test_the_rate_spreads_frames_and_its_queue_is_bounded() -> None:
    # 64 bytes at 512 kbit/s take 1 ms; 10 ms may wait, behind the frame that is being sent.
    tested = impairment(rate=512_000, queue=0.01)
    arrivals = tested.decide(FRAMES[:100], 0.0)
    assert [at for at, _ in arrivals] == pytest.approx([(n + 1) / 1000 for n in range(len(arrivals))])
    assert len(arrivals) in (10, 11)
    assert tested.counters.queue_full == 100 - len(arrivals)


def test_an_idle_link_saves_no_rate_up() -> None:
    tested = impairment(rate=512_000)
    tested.decide(FRAMES[:1], 0.0)
    assert [at for at, _ in tested.decide(FRAMES[:2], 100.0)] == pytest.approx([100.001, 100.002])


def test_a_cut_link_is_a_black_hole() -> None:
    tested = impairment(cut=1, delay=0.1)
    assert tested.decide(FRAMES, 0.0) == []
    assert tested.counters.cut == len(FRAMES)


def test_the_seed_alone_decides() -> None:
    values = {"loss": 0.2, "duplicate": 0.1, "corrupt": 0.1, "delay": 0.1, "jitter": 0.05, "reorder": 0.1}
    one, same, other = (impairment(seed, **values).decide(FRAMES[:500], 0.0) for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize(
    "wrong",
    [
        {"loss": 1.1}, {"loss": -0.1}, {"reorder": 0.2}, {"delay": -1}, {"rate": -1}, {"burst": 0.5},
        {"loss": 0.9, "burst": 2}, {"los": 0.1},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="|".join(wrong)):
        settings_from(wrong)


def test_settings_survive_the_control_channel() -> None:
    settings = Settings(delay=0.1, loss=0.2, burst=3, in_order=True, rate=1e6)
    assert settings_from(dataclasses.asdict(settings)) == settings


# --- the line that holds frames until they arrive -----------------------------------------------------------------


def test_a_clean_line_gives_what_it_takes() -> None:
    line = DelayLine(impairment())
    assert line.put(FRAMES[:5], 1.0) == FRAMES[:5]
    assert line.next_at is None


def test_a_line_gives_frames_when_they_are_due() -> None:
    line = DelayLine(impairment(delay=0.5))
    assert line.put(FRAMES[:2], 1.0) == []
    assert line.put(FRAMES[2:4], 1.25) == []
    assert line.next_at == 1.5
    assert line.due(1.49) == []
    assert line.due(1.5) == FRAMES[:2]
    assert line.due(9.0) == FRAMES[2:4]


def test_frames_that_still_travel_survive_a_cut() -> None:
    line = DelayLine(impairment(delay=0.5))
    line.put(FRAMES[:2], 0.0)
    line.impairment.settings = Settings(cut=True)
    assert line.put(FRAMES[2:4], 0.1) == []
    assert line.due(1.0) == FRAMES[:2]


def test_a_line_is_bounded() -> None:
    line = DelayLine(impairment(delay=1.0, limit=10))
    line.put(FRAMES[:100], 0.0)
    assert len(line) == 10
    assert line.impairment.counters.queue_full == 90


shares = st.floats(0, 1)


@given(
    st.builds(
        Settings, delay=st.floats(0.001, 1), jitter=st.floats(0, 1), in_order=st.booleans(), reorder=shares,
        loss=shares, duplicate=shares, corrupt=shares, rate=st.sampled_from([0.0, 1e4, 1e6]),
        limit=st.integers(1, 99), cut=st.booleans(),
    ),
    st.lists(st.tuples(st.floats(0, 0.1), st.integers(0, 20)), max_size=20),
    st.integers(),
)
def test_every_frame_has_one_fate_and_none_travels_back_in_time(
    settings: Settings, batches: list[tuple[float, int]], seed: int
) -> None:
    line = DelayLine(Impairment(Random(seed), settings))
    now, given_back = 0.0, 0
    for pause, size in batches:
        now += pause
        assert line.next_at is None or line.next_at >= now - pause
        given_back += len(line.put(FRAMES[:size], now))
        assert line.next_at is None or line.next_at > now
    counters = line.impairment.counters
    dropped = counters.lost + counters.cut + counters.queue_full
    assert counters.received + counters.duplicated == given_back + len(line) + dropped
    assert len(line) <= settings.limit
    given_back += len(line.due(now + 1e6))
    assert counters.received + counters.duplicated == given_back + dropped
