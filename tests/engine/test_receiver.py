"""The receiver: every frame's fate, each packet once and in order."""

from __future__ import annotations

import itertools
import random
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.addresses import Admission
from alagg.engine.fragment import PARTIAL_TIMEOUT, split
from alagg.engine.header import CONTROL, LANES, PROBE, PROBE_REPLY, decode
from alagg.engine.link import Link
from alagg.engine.monitor import Monitor
from alagg.engine.receiver import Receiver
from alagg.engine.recovery import SILENCE
from alagg.engine.reorder import INITIAL_TIMEOUT, MIN_TIMEOUT
from tests.engine.helpers import ONE, TWO, batch, data_frames, frame, ipv4, networks, numbered, numbers, take_frames

LIVE_TIME = 0.35


class Script:
    """A receiver with links; the tests read as `on(link, sequences)`, `out()`."""

    def __init__(self, links: int = 2, timeout: float | None = None) -> None:
        self.links = [Link(number, f"link{number}", 1500) for number in range(links)]
        self.monitors = {link: Monitor(link, 9, 0, 0.1, 0.0) for link in self.links}
        admission = Admission(networks(ONE), networks(TWO))
        self.receiver = Receiver(admission, self.monitors, 256, timeout, LIVE_TIME)

    def on(self, link: int, *sequences: int, now: float = 0.0, epoch: int = 1, first: int | None = None) -> list[int]:
        """Let data frames come over a link; give the numbers of the packets that come out."""
        return self.frames(link, *data_frames(sequences, epoch, first), now=now)

    def frames(self, link: int, *frames: bytes, now: float = 0.0) -> list[int]:
        self.receiver.receive(self.links[link], *batch(frames), now)
        return self.out()

    def timer(self, now: float) -> list[int]:
        self.receiver.handle_timer(now)
        return self.out()

    def out(self) -> list[int]:
        packets, self.receiver.packets = self.receiver.packets, []
        return numbers(packets)

    def check_accounts(self) -> None:
        """Every frame and every number that passed has exactly one fate."""
        receiver = self.receiver
        lanes = receiver.lanes.values()
        counted = [lane.recovery.counters() for lane in lanes]
        passed = sum(counters["passed"] for counters in counted)
        others = sum(counters["discarded"] + counters["rogue"] for counters in counted)
        assert receiver.frames == (
            passed + others + receiver.probes + receiver.replies + receiver.bad_cookie + receiver.control_frames
        )
        assert passed == receiver.delivered + sum(receiver.refused.values()) + sum(
            sum(stream.reorder.held for stream in lane.recovery.streams())
            + lane.rejoiner.waiting + lane.rejoiner.incomplete + lane.rejoiner.inconsistent
            + lane.rejoiner.joined - lane.rejoiner.again
            for lane in lanes
        )
        assert receiver.frames == sum(link.rx_frames for link in self.links)


def test_first_copy_is_delivered_and_the_second_discarded() -> None:
    script = Script()
    assert script.on(0, 0, 1, 2) == [0, 1, 2]
    assert script.on(1, 0, 1, 2) == []
    script.check_accounts()


def test_one_link_fills_what_the_other_lost() -> None:
    script = Script()
    script.on(1, 0)
    assert script.on(0, 1, 3, 4) == [1]
    assert script.on(1, 1, 2) == [2, 3, 4]
    script.check_accounts()


def test_number_that_every_live_link_has_passed_is_not_waited_for() -> None:
    script = Script()
    assert script.on(1, 0) == [0]
    assert script.on(0, 0, 2, 3) == []
    assert script.on(1, 2) == [2, 3]
    assert script.receiver.deadline() == inf


def test_link_that_has_shown_nothing_is_waited_for_until_the_deadline() -> None:
    script = Script()
    script.frames(1, probe())
    assert script.on(0, 0, 2) == [0]
    deadline = script.receiver.deadline()
    assert deadline == INITIAL_TIMEOUT
    assert script.timer(deadline - 0.001) == []
    assert script.timer(deadline) == [2]


def test_dead_link_is_not_waited_for() -> None:
    script = Script()
    script.on(0, 0)
    script.on(1, 0)
    script.links[1].answering = False
    now = LIVE_TIME + 0.01
    assert script.on(0, 1, now=now) == [1]
    assert script.on(0, 3, now=now) == [3]


def test_link_that_reorders_its_own_frames_proves_nothing() -> None:
    script = Script(links=1)
    assert script.on(0, 0, 1, 3, 2) == [0, 1, 2, 3]
    assert script.on(0, 5) == []
    assert script.on(0, 4) == [4, 5]


def test_link_that_reordered_is_trusted_again_after_a_while() -> None:
    script = Script(links=1)
    script.on(0, 0, 1, 3, 2)
    (lane,) = script.receiver.lanes.values()
    for _ in range(10):
        assert script.receiver.lanes[0].tracks[script.links[0]].reordering
        lane.tick()
    lane.tick()
    assert script.on(0, 5) == [5]


def test_copies_on_some_links_only_do_not_fool_it() -> None:
    """With `copies = 1` each link sees gaps in the sequence: its link sequence says that nothing is lost."""
    script = Script()
    assert script.on(1, 0, first=0) == [0]
    assert script.on(0, 1, 3, 5, first=0) == [1]
    assert script.on(1, 2, first=1) == [2, 3]
    assert script.on(1, 4, first=2) == [4, 5]
    assert [script.receiver.lanes[0].tracks[link].loss for link in script.links] == [0, 0]


def probe(cookie: bytes = b"12345678", lane: int = 0, epoch: int = 1, link_sequence: int = 0) -> bytes:
    return frame(0, cookie, frame_type=PROBE, lane=lane, epoch=epoch, link_sequence=link_sequence)


def test_probe_is_answered_on_its_link() -> None:
    script = Script()
    script.frames(1, probe(b"the cook"))
    assert script.links[0].payloads == []
    (answer,) = [decode(data) for data in take_frames(script.links[1])]
    assert (answer[0], answer[8]) == (PROBE_REPLY, b"the cook")
    assert script.receiver.probes == 1
    script.check_accounts()


@pytest.mark.parametrize("cookie", [b"", b"1234567"])
def test_probe_without_a_whole_cookie_is_not_answered(cookie: bytes) -> None:
    script = Script()
    script.frames(0, probe(cookie), frame(0, cookie, frame_type=PROBE_REPLY))
    assert (script.receiver.bad_cookie, script.links[0].payloads) == (2, [])
    script.check_accounts()


def test_large_probe_is_answered_with_its_cookie_only() -> None:
    script = Script()
    script.frames(0, probe(b"the cook" + bytes(1000)))
    (answer,) = [decode(data) for data in take_frames(script.links[0])]
    assert answer[8] == b"the cook"


def test_control_frame_is_handed_on_with_who_sent_it() -> None:
    script = Script()
    script.frames(1, frame(0, b"text", frame_type=CONTROL, epoch=5))
    assert script.receiver.controls == [(script.links[1], 5, 0, b"text")]
    script.check_accounts()


def test_addresses_that_the_peer_may_not_use_are_refused() -> None:
    script = Script()
    packets = [
        ipv4(bytes(4), source=TWO, destination=TWO),
        ipv4(bytes(4), source=ONE, destination=ONE),
        ipv4(bytes(4), source=ONE, destination=TWO) + b"x",
    ]
    assert script.frames(0, *(frame(number, packet) for number, packet in enumerate(packets))) == []
    assert script.receiver.refused == {"foreign_source": 1, "foreign_destination": 1, "malformed_packet": 1}
    script.check_accounts()


def test_pieces_are_rejoined_across_links() -> None:
    script = Script()
    (packet,) = numbered([42], 3000)
    pieces = split(packet, 1000)
    frames = [frame(number, piece, place=(number, 3)) for number, piece in enumerate(pieces)]
    script.frames(0, frames[0], frames[3])
    assert script.frames(1, frames[0], frames[1], frames[2]) == [42]
    assert (script.receiver.delivered, script.receiver.lanes[0].rejoiner.joined) == (1, 3)
    script.check_accounts()


def test_packet_with_a_lost_piece_is_given_up() -> None:
    script = Script(links=1)
    pieces = split(numbered([42], 3000)[0], 1000)
    script.frames(0, *(frame(number, piece, place=(number, 3)) for number, piece in enumerate(pieces[:3])))
    deadline = script.receiver.deadline()
    assert deadline == PARTIAL_TIMEOUT
    script.timer(deadline)
    assert script.receiver.lanes[0].rejoiner.incomplete == 3
    script.check_accounts()


@pytest.mark.parametrize("forged_first", [True, False])
def test_forged_piece_does_not_spoil_a_packet(*, forged_first: bool) -> None:
    script = Script()
    pieces = split(numbered([42], 3000)[0], 1000)
    true = [frame(number, piece, place=(number, 3)) for number, piece in enumerate(pieces)]
    forged = frame(2, b"x" * len(pieces[2]), place=(2, 3))
    got = []
    for one in [*true[:2], *([forged, true[2]] if forged_first else [true[2], forged]), true[3]]:
        got += script.frames(0, one)
        script.frames(1, one)
    assert got.count(42) >= 1
    assert script.receiver.lanes[0].rejoiner.again == 1
    script.check_accounts()


def test_restarted_peer_is_heard_at_once_and_its_stream_put_in_order_when_the_old_one_is_silent() -> None:
    script = Script()
    script.on(0, *range(100, 200))
    script.receiver.reset_lanes.clear()
    assert script.on(0, *range(20), epoch=2, now=0.1) == list(range(20))
    assert script.on(1, *range(20), epoch=2, now=0.1) == []
    assert script.receiver.reset_lanes == []
    script.on(0, *range(20, 30), epoch=2, now=1.5 * SILENCE)
    assert script.receiver.reset_lanes == [script.receiver.lanes[0]]
    script.on(1, *range(20, 30), epoch=2, now=1.5 * SILENCE)
    assert script.on(0, 31, 30, epoch=2, now=1.5 * SILENCE) == [30, 31]
    script.check_accounts()


def test_nothing_that_is_held_gets_lost_when_another_stream_takes_over() -> None:
    script = Script(timeout=10.0)
    script.on(1, 0)
    script.on(0, 0, 5, 7)
    out = script.on(0, *range(50, 60), epoch=2, now=SILENCE)
    assert sorted(out) == [5, 7, *range(50, 60)]
    script.check_accounts()


def test_stream_that_took_over_does_not_inherit_how_far_the_links_had_come() -> None:
    """The same epoch goes on at lower numbers: what a link passed before proves nothing about the new ones."""
    script = Script()
    for link in (0, 1):
        script.on(link, 100_000)
    for link in (0, 1):
        script.on(link, *range(20), now=SILENCE, first=100_001)
    assert script.on(0, 21, now=SILENCE, first=100_021) == []
    assert script.on(1, 20, now=SILENCE, first=100_021) == [20, 21]


def test_flush_releases_in_order() -> None:
    script = Script(timeout=10.0)
    script.on(1, 0)
    script.on(0, 0, 5, 3)
    script.receiver.flush(0.0)
    assert script.out() == [3, 5]
    script.check_accounts()


def test_switching_the_reordering_off_releases_what_is_held() -> None:
    script = Script(timeout=10.0)
    script.on(1, 0)
    script.on(0, 0, 5, 3)
    script.receiver.set_timeout(0.0, 0.0)
    assert script.out() == [3, 5]
    assert script.on(0, 9, 8) == [9, 8]


def test_timeout_follows_the_skew_between_the_links_however_long() -> None:
    skew = 0.2
    script = Script()
    for number in range(2000):
        now = number / 1000
        script.on(0, number, now=now)
        if now >= skew:
            script.on(1, number - 200, now=now)
    assert script.receiver.lanes[0].reorder.timeout == pytest.approx(skew, rel=0.05)


def test_timeout_of_equal_links_is_short() -> None:
    script = Script()
    for number in range(2000):
        for link in (0, 1):
            script.on(link, number, now=number / 1000)
    assert script.receiver.lanes[0].reorder.timeout == MIN_TIMEOUT


def test_lanes_are_independent_and_bounded() -> None:
    script = Script()
    (packet,) = numbered([0])
    for number in range(256):
        script.frames(0, frame(7, packet, lane=number), probe(lane=number))
    assert len(script.receiver.lanes) == LANES
    assert script.links[0].malformed["unknown_class"] == 2 * (256 - LANES)
    assert script.receiver.probes == LANES
    assert script.receiver.delivered == LANES
    script.check_accounts()


def test_lanes_of_a_stranger_do_not_take_the_place_of_the_peers_own() -> None:
    script = Script()
    (packet,) = numbered([0])
    for number in range(255, 0, -1):
        script.frames(0, frame(0, packet, lane=number, epoch=666))
    assert script.on(0, 0) == [0]


@pytest.mark.parametrize("lost_every", [2, 5, 20])
def test_loss_of_a_link_is_known_from_its_link_sequence(lost_every: int) -> None:
    script = Script(links=1)
    for number in range(1000):
        if number % lost_every:
            script.on(0, number)
    assert script.receiver.lanes[0].tracks[script.links[0]].loss == pytest.approx(1 / lost_every, abs=0.003)


def test_loss_is_that_of_the_last_periods() -> None:
    script = Script(links=1)
    script.on(0, *range(1, 1000, 2))
    lane = script.receiver.lanes[0]
    for period in range(11):
        lane.tick()
        script.on(0, *range(1000 + 100 * period, 1100 + 100 * period))
    assert lane.tracks[script.links[0]].loss == 0


def test_loss_that_begins_later_is_seen_in_full() -> None:
    script = Script(links=1)
    script.on(0, *range(1000))
    lane = script.receiver.lanes[0]
    for _ in range(11):
        lane.tick()
    script.on(0, *range(1001, 1200, 2))
    assert lane.tracks[script.links[0]].loss == 0.5


def test_track_knows_how_far_the_link_has_come() -> None:
    script = Script(links=1)
    for sequences, passed in (([0], 0), ([1], 1), ([5, 3], 5), ([6], 6)):
        script.on(0, *sequences)
        assert script.receiver.lanes[0].tracks[script.links[0]].passed == passed


def test_jump_of_the_link_sequence_is_a_new_start_and_no_loss() -> None:
    script = Script(links=1)
    script.on(0, 0, 1, 2)
    script.on(0, 3, first=1_000_000)
    assert script.receiver.lanes[0].tracks[script.links[0]].loss == 0


def test_probes_count_in_a_links_loss() -> None:
    script = Script(links=1)
    script.on(0, 0, first=0)
    script.frames(0, *(probe(link_sequence=number) for number in (2, 4, 6)))
    assert script.receiver.lanes[0].tracks[script.links[0]].loss == pytest.approx(3 / 7)


@st.composite
def any_frame(draw: st.DrawFn) -> bytes:
    """Give a frame that may be good, strange, damaged, or no frame at all."""
    kind = draw(st.sampled_from(["data", "data", "data", "piece", "control", "garbage", "flipped"]))
    epoch, lane = draw(st.sampled_from([1, 1, 1, 2, 3])), draw(st.sampled_from([0, 0, 0, 1, 15, 16, 255]))
    sequence = draw(st.integers(0, 30) | st.integers(0, 2**32 - 1))
    (packet,) = numbered([sequence], source=draw(st.sampled_from([ONE, ONE, TWO])))
    if kind == "garbage":
        return draw(st.binary(max_size=60))
    if kind == "control":
        frame_type, cookie = draw(st.sampled_from([PROBE, PROBE_REPLY])), draw(st.sampled_from([bytes(8), b""]))
        return frame(0, cookie, frame_type=frame_type, epoch=epoch, lane=lane, link_sequence=sequence)
    place = (sequence % 3, 2) if kind == "piece" else (0, 0)
    data = frame(sequence, packet, epoch=epoch, lane=lane, place=place)
    if kind == "flipped":
        return data[:-1] + bytes([data[-1] ^ 1])
    return data + bytes(draw(st.sampled_from([0, 0, 14])))


@given(st.lists(st.tuples(st.integers(0, 1), st.lists(any_frame(), max_size=8), st.sampled_from([0.0, 0.03, 1.0]))))
def test_every_frame_has_one_fate(batches: list[tuple[int, list[bytes], float]]) -> None:
    script, now, total = Script(), 0.0, 0
    for link, frames, pause in batches:
        now += pause
        total += len(frames)
        script.frames(link, *frames, now=now)
        deadline = script.receiver.deadline()
        if deadline <= now:
            script.timer(now)
        script.check_accounts()
    malformed = sum(sum(link.malformed.values()) for link in script.links)
    assert script.receiver.frames + malformed == total


@given(st.integers(0, 2**32), st.floats(0.0, 0.9), st.integers(1, 3))
def test_no_duplicates_and_nothing_lost_that_came(seed: int, loss: float, links: int) -> None:
    """Copies over lossy links of different delay: what came at all comes out once, and in order unless late."""
    randomness = random.Random(seed)
    script = Script(links)
    arrivals = sorted(
        (number / 1000 + 0.02 * link, link, number)
        for number in range(1, 100)
        for link in range(links)
        if randomness.random() >= loss
    )
    released = []
    for now, link, number in arrivals:
        deadline = script.receiver.deadline()
        if deadline <= now:
            released += script.timer(deadline)
        released += script.on(link, number, now=now)
    script.receiver.flush(1.0)
    released += script.out()
    assert sorted(released) == sorted({number for _, _, number in arrivals})
    overtaken = sum(after < before for before, after in itertools.pairwise(released))
    assert overtaken <= sum(lane.reorder.late for lane in script.receiver.lanes.values())
    script.check_accounts()
