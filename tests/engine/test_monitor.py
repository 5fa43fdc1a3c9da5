"""The link monitor: probes, answers, and what missing answers mean. Time is a number."""

from __future__ import annotations

import heapq
import random
import struct

import pytest

from alagg.engine.header import COOKIE_SIZE, PROBE, PROBE_REPLY, SIZE, decode
from alagg.engine.link import Link
from alagg.engine.monitor import MISSES, PENDING, PROOFS, REPLIES_PER_SECOND, Monitor
from alagg.engine.state import BLOCKED, CAPPED, DOWN, NEW, SILENT, STANDBY, SUSPECT, UP, WARY
from tests.engine.helpers import take_frames

INTERVAL = 0.125
"""Seconds; a power of two, so that sums of it are exact."""


class Script:
    """A monitor, and a peer that answers each probe after `rtt` seconds as long as `answers` is set."""

    def __init__(self, rtt: float = 0.0) -> None:
        self.link = Link(0, "fibre", 1500)
        self.monitor = Monitor(self.link, epoch=7, lane=0, interval=INTERVAL, now=0.0)
        self.rtt = rtt
        self.carries = 1500
        """Bytes of the largest frame that arrives."""
        self.answers = True
        self.now = 0.0
        self.states: list[str] = [self.monitor.state]
        self._travelling: list[tuple[float, bytes]] = []

    def run(self, intervals: int) -> str:
        """Let time pass in steps of an interval; give the state at its end."""
        for _ in range(intervals):
            while self._travelling and self._travelling[0][0] <= self.now:
                at, cookie = self._travelling.pop(0)
                self.monitor.answered(cookie, at)
            self.monitor.probe(self.now)
            cookies = self.cookies()
            if self.answers and self.rtt:
                self._travelling += [(self.now + self.rtt, cookie) for cookie in cookies]
            elif self.answers:
                for cookie in cookies:
                    self.monitor.answered(cookie, self.now)
            if self.monitor.state != self.states[-1]:
                self.states.append(self.monitor.state)
            self.now += INTERVAL
        return self.monitor.state

    def port(self, *, is_open: bool) -> None:
        """Have the port open or close."""
        self.link.open = self.answers = is_open
        self.link.trouble = "" if is_open else "no carrier"
        self.monitor.port_changed(self.now)

    def cookies(self) -> list[bytes]:
        """Give the cookies of the probes that the path carries."""
        frames = [data for data in take_frames(self.link) if len(data) <= self.carries]
        return [decode(data)[8][:COOKIE_SIZE] for data in frames]


def test_one_probe_per_interval() -> None:
    script = Script()
    monitor, link = script.monitor, script.link
    for step in range(40):
        monitor.probe(step * INTERVAL / 4)
    frames = [decode(data) for data in take_frames(link)]
    assert {frame[0] for frame in frames} == {PROBE}
    assert 10 <= sum(len(frame[8]) == COOKIE_SIZE for frame in frames) <= 12, "they come up to an eighth early"
    cookies = {frame[8][:COOKIE_SIZE] for frame in frames}
    assert len(cookies) == len(frames)


def test_stall_of_the_node_is_not_made_up_for_by_a_burst() -> None:
    script = Script()
    script.monitor.probe(0.0)
    script.monitor.probe(100.0)
    script.monitor.probe(100.0)
    script.monitor.probe(100.0 + INTERVAL / 2)
    assert len(script.cookies()) <= 4, "two small ones, and two large ones with them"


def test_first_answer_makes_a_fresh_link_up() -> None:
    script = Script()
    assert script.monitor.state == NEW
    assert script.run(1) == UP


def test_link_is_silent_after_three_misses() -> None:
    script = Script()
    script.run(10)
    script.answers = False
    assert script.run(1) == UP
    assert script.run(1) == SUSPECT
    assert script.run(2) == SILENT
    assert script.link.reason == "the peer does not answer"


def test_single_loss_changes_nothing() -> None:
    script = Script()
    for _ in range(50):
        script.run(3)
        script.answers = False
        script.run(1)
        script.answers = True
        script.monitor.busy(script.now)
    assert set(script.states) <= {NEW, UP, SUSPECT}


def test_silent_link_has_to_prove_itself() -> None:
    script = Script()
    script.run(10)
    script.answers = False
    script.run(10)
    script.answers = True
    assert script.run(PROOFS - 1) == WARY
    assert script.run(1) == UP


def test_proofs_start_anew_after_another_silence() -> None:
    script = Script()
    script.run(10)
    for _ in range(5):
        script.answers = False
        script.run(10)
        script.answers = True
        assert script.run(PROOFS - 1) == WARY
    assert script.states.count(UP) == 1 + script.states.count(SUSPECT) - 1


def test_closed_port_is_down_at_once_and_new_until_proven() -> None:
    script = Script()
    script.run(10)
    script.port(is_open=False)
    assert (script.monitor.state, script.link.reason) == (DOWN, "no carrier")
    script.run(10)
    script.port(is_open=True)
    assert script.monitor.state == NEW
    assert not script.link.answering
    assert script.run(1) == WARY
    assert script.run(PROOFS - 1) == UP
    assert script.states == [NEW, UP, DOWN, WARY, UP]


@pytest.mark.parametrize("rtt", [INTERVAL / 2, 2 * INTERVAL, 5 * INTERVAL, 16 * INTERVAL])
def test_round_trips_of_many_intervals_are_measured_and_no_silence(rtt: float) -> None:
    script = Script(rtt)
    assert script.run(200) == UP
    assert [state for state in script.states if state != SILENT] == [NEW, UP]
    assert script.monitor.rtt == pytest.approx(rtt)
    assert script.monitor.rtt_deviation < 0.001
    assert script.monitor.stray_replies == 0


def test_round_trip_time_is_smoothed() -> None:
    monitor = Script().monitor
    for step, rtt in enumerate((0.1, 0.2)):
        monitor.probe(step * INTERVAL)
        cookie = decode(take_frames(monitor.link)[0])[8]
        monitor.answered(cookie, step * INTERVAL + rtt)
    assert monitor.rtt == pytest.approx(0.1 + (0.2 - 0.1) / 8)
    assert monitor.rtt_deviation == pytest.approx(0.05 + (0.1 - 0.05) / 4)


def test_answers_to_nothing_are_counted_and_prove_nothing() -> None:
    script = Script()
    script.answers = False
    script.monitor.probe(0.0)
    cookie = script.cookies()[0]
    for stray in (bytes(8), b"\xff" * 8, struct.pack(">II", 8, 1)):
        script.monitor.answered(stray, 0.01)
    assert (script.monitor.state, script.monitor.rtt, script.monitor.stray_replies) == (NEW, None, 3)
    script.monitor.answered(cookie, 0.01)
    script.monitor.answered(cookie, 0.02)
    assert (script.monitor.rtt, script.monitor.stray_replies) == (0.01, 4)


def test_awaited_answers_are_bounded() -> None:
    script = Script()
    script.answers = False
    script.run(10 * PENDING)
    times = [sent for sent, _ in script.monitor._sent.values()]
    assert 1 < len(times) <= PENDING
    assert min(times) >= max(times) - PENDING * INTERVAL, "older ones have been given up"


def test_nobody_can_make_it_flood_answers() -> None:
    link = Link(0, "fibre", 1500)
    monitor = Monitor(link, epoch=7, lane=0, interval=10.0, now=0.0)
    for second in range(1, 4):
        for step in range(1000):
            monitor.answer(b"12345678", second + step / 1000)
        frames = [decode(data) for data in take_frames(link)]
        assert {(frame[0], frame[1], frame[8]) for frame in frames} == {(PROBE_REPLY, 7, b"12345678")}
        assert len(frames) == REPLIES_PER_SECOND
    assert monitor.probes_ignored == 3 * (1000 - REPLIES_PER_SECOND)


def test_peer_with_the_shortest_interval_gets_all_its_answers() -> None:
    """The budget follows the peer's rate, not this node's own interval."""
    link = Link(0, "fibre", 1500)
    monitor = Monitor(link, epoch=7, lane=0, interval=10.0, now=0.0)
    for step in range(1000):
        monitor.answer(b"12345678", step / 100)
    assert (len(link.payloads), monitor.probes_ignored) == (1000, 0)


def test_idle_link_is_probed_more_rarely_and_at_once_when_packets_flow() -> None:
    script = Script()
    script.run(200)
    idle = script.link.tx_frames
    script.run(80)
    assert script.link.tx_frames - idle <= 13, "ten seconds"
    script.monitor.busy(script.now)
    busy = script.link.tx_frames
    script.run(8)
    assert script.link.tx_frames - busy >= 8


def test_link_that_dies_while_idle_is_noticed_soon_after_packets_flow() -> None:
    script = Script()
    script.run(200)
    script.answers = False
    for _ in range(MISSES + 2):
        script.monitor.busy(script.now)
        script.run(1)
    assert script.monitor.state == SILENT


def test_cookies_cannot_be_guessed() -> None:
    cookies = []
    for secret in (b"one secret", b"another one"):
        link = Link(0, "fibre", 1500)
        Monitor(link, epoch=7, lane=0, interval=1.0, now=0.0, secret=secret).probe(0.0)
        cookies.append(decode(take_frames(link)[0])[8])
    assert cookies[0] != cookies[1]


@pytest.mark.parametrize("carries", [1400, 1499, 1280, 700, 577])
@pytest.mark.parametrize("rtt", [0.0, 3 * INTERVAL])
def test_path_narrower_than_its_interface_is_found_at_its_true_size(carries: int, rtt: float) -> None:
    script = Script(rtt)
    script.carries = carries
    for _ in range(100):
        script.monitor.busy(script.now)
        script.run(1)
    assert script.link.room == carries
    assert script.states == [NEW, UP]


def test_path_that_becomes_narrow_and_wide_again_is_followed() -> None:
    script = Script()
    script.run(16)
    assert script.link.path_mtu == 0
    script.carries = 1000
    script.run(100)
    assert script.link.room == 1000
    script.carries = 1500
    script.run(200)
    assert script.link.room == 1500


@pytest.mark.parametrize("rtt", [0.0, 3 * INTERVAL])
@pytest.mark.parametrize("away", [1, 2, 3, 4, 8, 30, 100])
def test_path_is_as_wide_as_before_when_the_peer_was_away(rtt: float, away: int) -> None:
    """It is a restart of the peer's, or a cable that was pulled: nothing of that speaks of sizes."""
    for before in range(16, 36):
        script = Script(rtt)
        narrowest = 1500
        for step in range(before + away + 40):
            script.answers = not before <= step < before + away
            script.monitor.busy(script.now)
            script.run(1)
            narrowest = min(narrowest, script.link.room)
        assert narrowest == 1500, before


def test_lossy_link_is_not_taken_for_a_narrow_one_for_long() -> None:
    script = Script()
    script.run(16)
    for step in range(400):
        script.answers = step % 3 == 0
        script.monitor.busy(script.now)
        script.run(1)
    script.answers = True
    script.run(200)
    assert script.link.room == 1500
    assert SIZE + COOKIE_SIZE < 1500


class Road:
    """A monitor whose probes are answered after a round trip that varies, in events and not in steps."""

    def __init__(self, rtt: float, jitter: float = 0.0, seed: int = 0, interval: float = 0.1) -> None:
        self.link = Link(0, "fibre", 1500)
        self.monitor = Monitor(self.link, epoch=7, lane=0, interval=interval, now=0.0)
        self.rtt, self.jitter, self.cut_at = rtt, jitter, float("inf")
        self.now = 0.0
        self.seen: list[tuple[float, str]] = []
        self._random = random.Random(seed)
        self._answers: list[tuple[float, bytes]] = []

    def run(self, until: float, *, busy: bool = True) -> None:
        """Let time pass, jumping to what happens next."""
        monitor, flows = self.monitor, self.now
        while True:
            at = min(monitor.due, self._answers[0][0] if self._answers else until, flows if busy else until)
            if at >= until:
                break
            self.now = max(self.now, at)
            if busy and self.now >= flows:
                monitor.busy(self.now)
                flows = self.now + 0.5
            while self._answers and self._answers[0][0] <= self.now:
                back, cookie = heapq.heappop(self._answers)
                if back - self.rtt / 2 < self.cut_at:
                    monitor.answered(cookie, self.now)
            monitor.probe(self.now)
            self._travel()
            if not self.seen or self.seen[-1][1] != monitor.state:
                self.seen.append((self.now, monitor.state))
        self.now = until

    def _travel(self) -> None:
        for data in take_frames(self.link):
            back = self.now + self.rtt + self.jitter * self._random.random()
            heapq.heappush(self._answers, (back, decode(data)[8][:COOKIE_SIZE]))


@pytest.mark.parametrize("rtt", [0.001, 0.03, 0.3, 0.8])
@pytest.mark.parametrize("cut_at", [20.0, 20.037, 20.09])
def test_silent_death_is_noticed_within_three_beats_or_round_trips(rtt: float, cut_at: float) -> None:
    road = Road(rtt)
    road.run(cut_at)
    assert road.seen[-1][1] == UP
    road.cut_at = cut_at
    road.run(cut_at + 10)
    time = next(time for time, state in road.seen if state == SILENT and time > cut_at)
    assert time - cut_at <= max(0.3, 3 * rtt) + 1e-6
    assert any(state == SUSPECT for _, state in road.seen)


def jitter_declares(hours: float, seed: int) -> list[str]:
    """Give the links that were given up once they were up, with nothing lost and jitter of half of their patience."""
    found = []
    for rtt in (0.001, 0.03, 0.3, 0.8):
        road = Road(rtt, max(0.3, 3 * rtt) / 2, seed)
        road.run(hours * 3600)
        states = [state for _, state in road.seen]
        if SILENT in states[states.index(UP) :]:
            found.append(f"{rtt:g}")
    return found


def test_jitter_of_half_that_time_is_no_silence() -> None:
    assert jitter_declares(hours=0.1, seed=1) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_jitter_is_no_silence_for_hours(seed: int) -> None:
    assert jitter_declares(hours=0.25, seed=100 + seed) == []


def test_flapping_is_damped_for_longer_each_time_and_says_why() -> None:
    script = Script()
    script.run(16)
    waits = []
    for _ in range(5):
        script.answers = False
        script.monitor.busy(script.now)
        script.run(5)
        assert script.monitor.state == SILENT
        script.answers = True
        since = script.now
        script.monitor.busy(script.now)
        script.run(1)
        reason = script.link.reason
        while script.monitor.state != UP:
            script.monitor.busy(script.now)
            script.run(1)
        waits.append(script.now - since)
    assert waits == sorted(waits)
    assert waits[0] <= PROOFS * INTERVAL + INTERVAL
    assert waits[-1] >= 8
    assert reason == "came back 5 times in 60 s: it must answer for 8 s first"


@pytest.mark.parametrize("state", [BLOCKED, CAPPED])
def test_nothing_leaves_on_a_link_that_is_shut(state: str) -> None:
    script = Script()
    script.run(16)
    script.monitor.hold(state, "by the operator", script.now)
    assert (script.link.state, script.link.reason, script.link.carries) == (state, "by the operator", False)
    script.monitor.answer(b"12345678", script.now)
    script.monitor.probe(script.now)
    assert (script.cookies(), script.monitor.due, script.monitor.probes_ignored) == ([], float("inf"), 1)
    script.monitor.hold(state, "", script.now)
    assert script.monitor.state == NEW
    assert script.run(1) == UP
    assert script.link.reason == ""


def test_link_that_is_shut_while_its_port_closes_is_down_afterwards() -> None:
    script = Script()
    script.run(16)
    script.monitor.hold(BLOCKED, "by the operator", script.now)
    script.port(is_open=False)
    assert script.monitor.state == BLOCKED
    script.monitor.hold(BLOCKED, "", script.now)
    assert (script.monitor.state, script.link.reason) == (DOWN, "no carrier")


def test_link_in_standby_is_watched_and_returns_to_it() -> None:
    script = Script()
    script.monitor.hold(STANDBY, "a backup", script.now)
    assert script.run(2) == STANDBY
    assert script.link.reason == "a backup"
    script.answers = False
    assert script.run(5) == SILENT
    script.answers = True
    assert script.run(PROOFS) == STANDBY
    script.monitor.hold(STANDBY, "", script.now)
    assert (script.monitor.state, script.link.carries) == (UP, True)


def test_stall_of_the_node_is_nobody_elses_silence() -> None:
    script = Script()
    script.run(16)
    script.now += 100
    assert script.run(4) == UP
    assert SILENT not in script.states


def test_shortest_round_trip_is_that_of_late() -> None:
    road = Road(0.05)
    road.run(5)
    assert road.link.base_rtt == pytest.approx(0.05)
    road.rtt = 0.2
    road.run(30)
    assert road.link.base_rtt == pytest.approx(0.2)
