"""Receiver: opens the frames of one peer and gives its packets, each once and in order.

The way of a batch, in the order of the functions below:

1. `receive` takes a link's frames; `parse` verifies each, and nothing of a damaged one is looked at;
2. probes and answers go to the link's monitor, control frames to the peer;
3. recovery lets each packet pass once, and says to which stream it belongs;
4. reorder releases the packets in order: at once, when a gap is filled, when every live link has passed it, or at
   its deadline;
5. `_deliver` rejoins pieces and keeps back what the peer may not send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.engine.addresses import REFUSED, Admission
from alagg.engine.fragment import Piece
from alagg.engine.header import CONTROL, COOKIE_SIZE, DATA, PROBE, SIZE, MalformedFrameError, parse
from alagg.engine.lane import Lane
from alagg.engine.recovery import DISCARDED, TOOK_OVER
from alagg.engine.reorder import MIN_TIMEOUT
from alagg.engine.sequence import distance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alagg.engine.held import Held
    from alagg.engine.link import Link
    from alagg.engine.monitor import Monitor
    from alagg.engine.reorder import Item, Reorder


class Receiver:
    """Turns the frames of one peer into packets."""

    def __init__(
        self,
        admission: Admission,
        monitors: Mapping[Link, Monitor],
        window: int,
        timeout: float | None,
        live_time: float,
        secret: int = 0,
        store: Held | None = None,
    ) -> None:
        """Set up the way in.

        Args:
            admission: judges the packets' addresses.
            monitors: each link of the peer with its monitor.
            window: packets that duplicate elimination remembers, a power of two.
            timeout: longest wait for an earlier packet in seconds; None for automatic, 0 for off.
            live_time: seconds without a frame after which no gap waits for a link that does not answer either.
            secret: 64 bits that nobody can guess (`alagg.engine.seen`).
            store: what all buffers of the worker hold together.
        """
        self.packets: list[bytes] = []
        """What can be injected, in order; the owner empties it."""
        self.controls: list[tuple[Link, int, int, bytes]] = []
        """Control frames: the link, the sender's epoch and number for it, and the payload; the owner empties it."""
        self.lanes: dict[int, Lane] = {}
        self.frames = 0
        """Intact frames; each is a probe, an answer, a control frame, or its packet passes or not."""
        self.data_frames = 0
        self.probes = 0
        self.replies = 0
        self.control_frames = 0
        self.bad_cookie = 0
        """Probes and answers without a cookie of 8 bytes."""
        self.delivered = 0
        """Packets that were given for injection."""
        self.refused = dict.fromkeys(REFUSED, 0)
        self.refused_last: dict[str, tuple[float, bytes]] = {}
        """When a packet was refused the last time, and its beginning, by reason."""
        self.reset_lanes: list[Lane] = []
        """Lanes whose stream was replaced since the owner last looked."""
        self._admission = admission
        self._monitors = monitors
        self._window = window
        self._timeout = timeout
        self._live_time = live_time
        self._secret = secret
        self._store = store
        self._least = MIN_TIMEOUT

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
                (
                    frame_type, epoch, number, sequence, link_id, link_sequence, piece, last_piece, length, content,
                ) = parse(headers, index * SIZE, payload)  # fmt: skip
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
                self._control(lane, link, frame_type, epoch, link_id, link_sequence, payload, now)
            else:
                self.data_frames += 1
                # Pieces are other packets when they stand at another place, whatever their bytes.
                self._data(
                    lane, link, epoch, sequence, link_id, link_sequence, piece, last_piece, payload,
                    content ^ (piece << 16 | last_piece << 8), now,
                )  # fmt: skip
        link.rx_frames += self.frames - intact
        link.rx_bytes += size
        if lane is not None:
            self._finish(lane, now)

    def deadline(self) -> float:
        """Give the time at which `handle_timer` has something to do: never, infinity, when nothing waits."""
        deadline = float("inf")
        for lane in self.lanes.values():
            deadline = min(deadline, lane.deadline())
        return deadline

    def handle_timer(self, now: float) -> None:
        """Release and give up what has waited for long enough."""
        for lane in self.lanes.values():
            lane.expire(now)
            self._deliver(lane, now)

    def set_timeout(self, timeout: float | None, now: float) -> None:
        """Wait this long for earlier packets from now on: seconds, None for automatic, 0 for not at all."""
        self._timeout = timeout
        for lane in self.lanes.values():
            lane.recovery.timeout = timeout
            for stream in lane.recovery.streams():
                stream.reorder.set_timeout(timeout, lane.out)
            self._deliver(lane, now)

    def wait_at_least(self, seconds: float) -> None:
        """Wait this long for earlier packets, where that is automatic."""
        self._least = max(seconds, MIN_TIMEOUT)
        for lane in self.lanes.values():
            for stream in lane.recovery.streams():
                stream.reorder.least = self._least

    def flush(self, now: float) -> None:
        """Release all that is held, in order: the node ends."""
        for lane in self.lanes.values():
            for stream in lane.recovery.streams():
                stream.reorder.flush(lane.out)
            self._deliver(lane, now)

    def drop(self) -> None:
        """Throw away all that waits: the peer is no more."""
        for lane in self.lanes.values():
            lane.drop()

    def is_live(self, link: Link, now: float) -> bool:
        """Tell whether a link may still bring what has not come."""
        return link.open and (link.answering or now - link.rx_last <= self._live_time)

    def _control(
        self,
        lane: Lane,
        link: Link,
        frame_type: int,
        epoch: int,
        link_id: int,
        link_sequence: int,
        payload: bytes,
        now: float,
    ) -> None:
        lane.track(link, epoch, link_id, link_sequence, SIZE + len(payload), now)
        if frame_type == CONTROL:
            self.control_frames += 1
            self.controls.append((link, epoch, link_id, payload))
        elif len(payload) < COOKIE_SIZE:
            self.bad_cookie += 1
        elif frame_type == PROBE:
            self.probes += 1
            self._monitors[link].answer(payload[:COOKIE_SIZE], now)
        else:
            self.replies += 1
            self._monitors[link].answered(payload, now)

    def _new_lane(self, number: int) -> Lane:
        lane = self.lanes[number] = Lane(number, self._window, self._timeout, self._secret, self._store)
        return lane

    def _data(
        self,
        lane: Lane,
        link: Link,
        epoch: int,
        sequence: int,
        link_id: int,
        link_sequence: int,
        piece: int,
        last_piece: int,
        payload: bytes,
        fingerprint: int,
        now: float,
    ) -> None:
        recovery = lane.recovery
        verdict = recovery.accept(epoch, sequence, now, fingerprint)
        stream = recovery.stream
        if verdict == TOOK_OVER:
            lane.take_over()
            lane.reorder.least = self._least
            self.reset_lanes.append(lane)
        if stream is not None and stream is recovery.current:
            track = lane.track(link, epoch, link_id, link_sequence, SIZE + len(payload), now)
            if track is not None:
                track.packet(sequence)
            if verdict == DISCARDED:
                lane.later_copy(sequence, now)
            else:
                lane.first_copy(sequence, now)
        if verdict != DISCARDED and stream is not None:
            item: Item = Piece(epoch, sequence, piece, last_piece, payload) if last_piece else payload
            stream.reorder.push(sequence, item, now, lane.out)
            if recovery.retired:
                lane.release_retired()

    def _finish(self, lane: Lane, now: float) -> None:
        """Give what a lane can release, after its frames of a batch."""
        current = lane.recovery.current
        if current is not None and current.reorder.held:
            self._give_up_passed(lane, current.reorder, now)
        self._deliver(lane, now)

    def _give_up_passed(self, lane: Lane, reorder: Reorder, now: float) -> None:
        """Release the packets behind numbers that every live link has passed: they are lost on all of them.

        A link that reorders its own frames proves nothing by passing a number; then the deadline decides.
        """
        lowest: int | None = None
        for link, track in lane.tracks.items():
            if not self.is_live(link, now):
                continue
            if track.epoch != lane.recovery.epoch or track.reordering or track.passed < 0:
                return
            if reorder.awaits(track.passed):
                return
            if lowest is None or distance(track.passed, lowest) < 0:
                lowest = track.passed
        if lowest is not None and self._all_live_known(lane, now):
            reorder.passed_by_all(lowest, now, lane.out)

    def _all_live_known(self, lane: Lane, now: float) -> bool:
        """Tell whether every live link has shown a frame of this lane, so that none can still surprise us."""
        return all(link in lane.tracks for link in self._monitors if self.is_live(link, now))

    def _deliver(self, lane: Lane, now: float) -> None:
        if not lane.out:
            return
        for item in lane.out:
            if isinstance(item, Piece):
                for packet in lane.rejoiner.join(item, now):
                    self._admit(packet, now)
            else:
                self._admit(item, now)
        lane.out.clear()

    def _admit(self, packet: bytes, now: float) -> None:
        reason = self._admission.refusal(packet)
        if reason:
            self.refused[reason] += 1
            self.refused_last[reason] = now, packet[:40]
        else:
            self.delivered += 1
            self.packets.append(packet)
