"""The link monitor: probes, answers, and what missing answers mean. Time is a number."""

from __future__ import annotations

import struct

import pytest

from alagg.engine.header import COOKIE_SIZE, PROBE, PROBE_REPLY, SIZE, decode
from alagg.engine.link import DOWN, SILENT, UP, Link
from alagg.engine.monitor import MISSES, PENDING, PROOFS, REPLIES_PER_SECOND, Monitor
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
    assert script.monitor.state == SILENT
    assert script.run(1) == UP


def test_link_is_silent_after_three_misses() -> None:
    script = Script()
    script.run(10)
    script.answers = False
    assert script.run(MISSES) == UP
    assert script.run(2) == SILENT


def test_single_loss_changes_nothing() -> None:
    script = Script()
    for _ in range(50):
        script.run(2)
        script.answers = False
        script.run(2)
        script.answers = True
    assert script.states == [SILENT, UP]


def test_silent_link_has_to_prove_itself() -> None:
    script = Script()
    script.run(10)
    script.answers = False
    script.run(10)
    script.answers = True
    assert script.run(PROOFS - 1) == SILENT
    assert script.run(1) == UP


def test_proofs_start_anew_after_another_silence() -> None:
    script = Script()
    script.run(10)
    for _ in range(5):
        script.answers = False
        script.run(10)
        script.answers = True
        assert script.run(PROOFS - 1) == SILENT
    assert script.states == [SILENT, UP, SILENT]


def test_closed_port_is_down_at_once_and_silent_until_proven() -> None:
    script = Script()
    script.run(10)
    script.link.open = False
    script.answers = False
    assert script.run(1) == DOWN
    script.run(10)
    script.link.open = script.answers = True
    assert script.run(1) == SILENT
    assert script.run(PROOFS - 1) == UP
    assert script.states == [SILENT, UP, DOWN, SILENT, UP]


@pytest.mark.parametrize("rtt", [INTERVAL / 2, 2 * INTERVAL, 5 * INTERVAL, 16 * INTERVAL])
def test_round_trips_of_many_intervals_are_measured_and_no_silence(rtt: float) -> None:
    script = Script(rtt)
    assert script.run(200) == UP
    assert script.states == [SILENT, UP]
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
    assert (script.monitor.state, script.monitor.rtt, script.monitor.stray_replies) == (SILENT, None, 3)
    script.monitor.answered(cookie, 0.01)
    script.monitor.answered(cookie, 0.02)
    assert (script.monitor.rtt, script.monitor.stray_replies) == (0.01, 4)


def test_awaited_answers_are_bounded() -> None:
    script = Script()
    script.answers = False
    script.run(10 * PENDING)
    assert len(script.monitor._sent) == PENDING


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
    assert script.states == [SILENT, UP]


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
