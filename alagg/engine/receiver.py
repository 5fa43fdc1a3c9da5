"""Receiver: opens the frames of one peer and gives its packets, each once and in order.

The way of a batch, in the order of the functions below:

1. `receive` takes a link's frames; `parse` verifies each, and nothing of a damaged one is looked at;
2. probes and answers go to the link's monitor;
3. recovery lets each number pass once;
4. reorder releases the packets in order: at once, when a gap is filled, when every live link has passed it, or at
   its deadline;
5. `_deliver` rejoins pieces and keeps back what the peer may not send.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from alagg.engine.addresses import REFUSED, Admission
from alagg.engine.fragment import Piece, Rejoiner
from alagg.engine.header import COOKIE_SIZE, DATA, PROBE, SIZE, MalformedFrameError, parse
from alagg.engine.recovery import DISCARDED, PASSED, ROGUE, TOOK_OVER, Recovery
from alagg.engine.reorder import Item, Reorder
from alagg.engine.sequence import HALF, MASK, distance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alagg.engine.link import Link
    from alagg.engine.monitor import Monitor

MAX_LANES: Final = 16
"""Lanes of one peer that are accepted, 0 to 15: each costs memory, and no stranger's lane may take a peer's place."""
LOSS_PERIODS: Final = 10
"""Ticks (seconds) over which a link's loss is measured."""
SAMPLE_INTERVAL: Final = 0.02
"""Seconds between two numbers whose copies are timed."""
SAMPLE_MASK: Final = 7
"""Only numbers without these bits are timed, so that most copies need not be looked up."""
SAMPLES: Final = 32
"""Numbers whose copies are awaited at the same time: they cover more than the longest automatic timeout."""
TRACK_JUMP: Final = 1 << 16
"""An advance of the link sequence beyond this is a new start, not a loss."""


class Track:
    """What one lane knows about one link: the frames that were lost on it, and how far it has come."""

    def __init__(self, epoch: int, link_sequence: int) -> None:
        """Start at a frame."""
        self.epoch = epoch
        self.passed = -1
        """The highest sequence that came over the link; -1 before the first packet."""
        self.received = 1
        self.expected = 1
        self.reordered = 0
        """Frames that were overtaken by others on the link itself."""
        self.reordering = False
        """Whether that happened in the last few seconds."""
        self._highest = link_sequence
        self._history: deque[tuple[int, int, int]] = deque([(0, 0, 0)], maxlen=LOSS_PERIODS + 1)

    def frame(self, link_sequence: int) -> None:
        """Account for a frame of the same epoch."""
        self.received += 1
        ahead = ((link_sequence - self._highest + HALF) & MASK) - HALF
        if ahead > 0:
            self._highest = link_sequence
            self.expected += ahead if ahead <= TRACK_JUMP else 1
        else:
            self.reordered += 1
            self.reordering = True

    def packet(self, sequence: int) -> None:
        """Note how far the link has come."""
        ahead = ((sequence - self.passed + HALF) & MASK) - HALF
        if ahead > 0 or self.passed < 0:
            self.passed = sequence

    def tick(self) -> None:
        """Close a period of measurement; the last `LOSS_PERIODS` of them are looked back on."""
        self._history.append((self.received, self.expected, self.reordered))
        self.reordering = self.reordered > self._history[0][2]

    @property
    def recent(self) -> tuple[int, int]:
        """Frames that came in the last periods, and frames that should have come."""
        return self.received - self._history[0][0], self.expected - self._history[0][1]

    @property
    def loss(self) -> float:
        """Share of the link's frames that did not come in the last periods, 0 to 1."""
        received, expected = self.recent
        return share_lost(received, expected)


def share_lost(received: int, expected: int) -> float:
    """Give the share of frames that did not come, 0 to 1; a late one may be counted as more than came."""
    return min(max(1 - received / expected, 0.0), 1.0) if expected > 0 else 0.0


class Lane:
    """One number space of a peer."""

    def __init__(self, number: int, window: int, timeout: float | None) -> None:
        """Take the lane's number and the settings of its recovery and reordering."""
        self.number = number
        self.recovery = Recovery(window)
        self.reorder = Reorder(timeout)
        self.rejoiner = Rejoiner()
        self.tracks: dict[Link, Track] = {}
        self.out: list[Item] = []
        self._link: Link | None = None
        self._track: Track | None = None
        """The link of the last frame, and what is known about it."""
        self._samples: dict[int, float] = {}
        self._next_sample = float("-inf")

    def track(self, link: Link, epoch: int, link_sequence: int) -> Track:
        """Account for a frame on its link; another epoch starts anew."""
        track = self._track if link is self._link else self.tracks.get(link)
        if track is None or track.epoch != epoch:
            track = self.tracks[link] = Track(epoch, link_sequence)
        else:
            track.frame(link_sequence)
        self._link, self._track = link, track
        return track

    def forget(self, link: Link) -> None:
        """Forget a link that is no more."""
        self.tracks.pop(link, None)
        self._link = self._track = None

    def tick(self) -> None:
        """Close a period of measurement on each link."""
        for track in self.tracks.values():
            track.tick()

    def first_copy(self, sequence: int, now: float) -> None:
        """Note when a number came first; now and then one is kept to measure how far behind its copies are."""
        if now >= self._next_sample and not sequence & SAMPLE_MASK:
            self._next_sample = now + SAMPLE_INTERVAL
            if len(self._samples) >= SAMPLES:
                del self._samples[next(iter(self._samples))]
            self._samples[sequence] = now

    def later_copy(self, sequence: int, now: float) -> None:
        """Measure the skew between links when this is a copy of a number that was kept."""
        first = None if sequence & SAMPLE_MASK else self._samples.get(sequence)
        if first is not None:
            self.reorder.lateness.sample(now - first)

    def start_anew(self) -> None:
        """Release what is held of the stream that was replaced; what its numbers said says nothing any more."""
        for track in self.tracks.values():
            track.passed = -1
        self._samples.clear()
        self.reorder.flush(self.out)


class Receiver:
    """Turns the frames of one peer into packets."""

    def __init__(
        self,
        admission: Admission,
        monitors: Mapping[Link, Monitor],
        window: int,
        timeout: float | None,
        live_time: float,
    ) -> None:
        """Set up the way in.

        Args:
            admission: judges the packets' addresses.
            monitors: each link of the peer with its monitor.
            window: numbers that duplicate elimination remembers, a power of two.
            timeout: longest wait for an earlier packet in seconds; None for automatic, 0 for off.
            live_time: seconds without a frame after which no gap waits for a link.
        """
        self.packets: list[bytes] = []
        """What can be injected, in order; the owner empties it."""
        self.lanes: dict[int, Lane] = {}
        self.frames = 0
        """Intact frames; each is a probe, an answer, a stray, or its number passes or not."""
        self.probes = 0
        self.replies = 0
        self.bad_cookie = 0
        """Probes and answers without a cookie of 8 bytes."""
        self.unknown_lane = 0
        """Frames of lanes that are not accepted."""
        self.delivered = 0
        """Packets that were given for injection."""
        self.pieces_joined = 0
        """Pieces of rejoined packets beyond the first of each: they were numbers, and are no packets any more."""
        self.refused = dict.fromkeys(REFUSED, 0)
        self.reset_lanes: list[Lane] = []
        """Lanes whose stream was replaced since the owner last looked."""
        self._admission = admission
        self._monitors = monitors
        self._window = window
        self._timeout = timeout
        self._live_time = live_time

    def receive(self, link: Link, headers: bytes, payloads: Sequence[bytes | None], now: float) -> None:
        """Take the frames that came over a link.

        Args:
            link: the link.
            headers: their headers, one after the other; the endpoint has seen to it that there are enough.
            payloads: what came behind each, with the link's padding; None where it was too short for a header.
            now: the time in seconds.
        """
        lane: Lane | None = None
        size, intact = 0, self.frames
        for index, payload in enumerate(payloads):
            if payload is None:
                link.malformed["truncated"] += 1
                continue
            try:
                frame_type, epoch, number, sequence, _, link_sequence, piece, last_piece, length = parse(
                    headers, index * SIZE, payload
                )
            except MalformedFrameError as error:
                link.malformed[error.reason] += 1
                continue
            self.frames += 1
            size += SIZE + len(payload)
            link.rx_last = now
            if length < len(payload):
                payload = payload[:length]  # noqa: PLW2901
            if lane is None or lane.number != number:
                if lane is not None:
                    self._finish(lane, now)
                lane = self.lanes.get(number) or self._new_lane(number)
            if frame_type != DATA:
                self._control(lane, link, frame_type, epoch, link_sequence, payload, now)
            elif lane is None:
                self.unknown_lane += 1
            else:
                self._data(lane, link, epoch, sequence, link_sequence, piece, last_piece, payload, now)
        link.rx_frames += self.frames - intact
        link.rx_bytes += size
        if lane is not None:
            self._finish(lane, now)

    def deadline(self) -> float:
        """Give the time at which `handle_timer` has something to do: never, infinity, when nothing waits."""
        deadline = float("inf")
        for lane in self.lanes.values():
            deadline = min(deadline, lane.reorder.deadline(), lane.rejoiner.deadline())
        return deadline

    def handle_timer(self, now: float) -> None:
        """Release and give up what has waited for long enough."""
        for lane in self.lanes.values():
            lane.reorder.expire(now, lane.out)
            lane.rejoiner.expire(now)
            self._deliver(lane, now)

    def set_timeout(self, timeout: float | None, now: float) -> None:
        """Wait this long for earlier packets from now on: seconds, None for automatic, 0 for not at all."""
        self._timeout = timeout
        for lane in self.lanes.values():
            lane.reorder.set_timeout(timeout, lane.out)
            self._deliver(lane, now)

    def flush(self, now: float) -> None:
        """Release all that is held, in order: the node ends."""
        for lane in self.lanes.values():
            lane.reorder.flush(lane.out)
            self._deliver(lane, now)

    def _control(
        self,
        lane: Lane | None,
        link: Link,
        frame_type: int,
        epoch: int,
        link_sequence: int,
        cookie: bytes,
        now: float,
    ) -> None:
        if lane is None:
            self.unknown_lane += 1
            return
        if lane.recovery.epoch in (None, epoch):
            lane.track(link, epoch, link_sequence)
        if len(cookie) != COOKIE_SIZE:
            self.bad_cookie += 1
        elif frame_type == PROBE:
            self.probes += 1
            self._monitors[link].answer(lane.number, cookie, now)
        else:
            self.replies += 1
            self._monitors[link].answered(cookie, now)

    def _new_lane(self, number: int) -> Lane | None:
        if number >= MAX_LANES:
            return None
        lane = self.lanes[number] = Lane(number, self._window, self._timeout)
        return lane

    def _data(
        self,
        lane: Lane,
        link: Link,
        epoch: int,
        sequence: int,
        link_sequence: int,
        piece: int,
        last_piece: int,
        payload: bytes,
        now: float,
    ) -> None:
        verdict = lane.recovery.accept(epoch, sequence, now)
        if verdict == ROGUE:
            return
        if verdict == DISCARDED:
            if lane.recovery.is_current(epoch):
                lane.track(link, epoch, link_sequence).packet(sequence)
                lane.later_copy(sequence, now)
            return
        item: Item = Piece(epoch, sequence, piece, last_piece, payload) if last_piece else payload
        if verdict == PASSED:
            lane.track(link, epoch, link_sequence).packet(sequence)
            lane.first_copy(sequence, now)
            lane.reorder.push(sequence, item, now, lane.out)
        elif verdict == TOOK_OVER:
            lane.start_anew()
            lane.track(link, epoch, link_sequence).packet(sequence)
            lane.reorder.push(sequence, item, now, lane.out)
            self.reset_lanes.append(lane)
        else:
            lane.out.append(item)

    def _finish(self, lane: Lane, now: float) -> None:
        """Give what a lane can release, after its frames of a batch."""
        if lane.reorder.held:
            self._give_up_passed(lane, now)
        self._deliver(lane, now)

    def _give_up_passed(self, lane: Lane, now: float) -> None:
        """Release the packets behind numbers that every live link has passed: they are lost on all of them.

        A link that reorders its own frames proves nothing by passing a number; then the deadline decides.
        """
        lowest: int | None = None
        for link, track in lane.tracks.items():
            if now - link.rx_last > self._live_time:
                continue
            if track.epoch != lane.recovery.epoch or track.reordering or track.passed < 0:
                return
            if lane.reorder.awaits(track.passed):
                return
            if lowest is None or distance(track.passed, lowest) < 0:
                lowest = track.passed
        if lowest is not None and self._all_live_known(lane, now):
            lane.reorder.passed_by_all(lowest, now, lane.out)

    def _all_live_known(self, lane: Lane, now: float) -> bool:
        """Tell whether every live link has shown a frame of this lane, so that none can still surprise us."""
        return all(
            link in lane.tracks for link in self._monitors if now - link.rx_last <= self._live_time
        )

    def _deliver(self, lane: Lane, now: float) -> None:
        if not lane.out:
            return
        for item in lane.out:
            if isinstance(item, Piece):
                packet = lane.rejoiner.join(item, now)
                if packet is None:
                    continue
                self.pieces_joined += item.last
            else:
                packet = item
            reason = self._admission.refusal(packet)
            if reason:
                self.refused[reason] += 1
            else:
                self.delivered += 1
                self.packets.append(packet)
        lane.out.clear()
