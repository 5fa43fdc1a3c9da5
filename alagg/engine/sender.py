"""Sender: splits, numbers, schedules and seals the packets for one peer.

The way of a batch, in the order of the functions below:

1. `send` takes packets;
2. `_cut` splits those that are too big for the peer's smallest link;
3. the scheduler lays the pieces on links;
4. `_seal` numbers each piece once, before the fan-out, and queues a frame on each of its links;
5. the ports take the frames, and `settle` finds out which packets no link took, and takes their numbers back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.engine.crc import crc32c
from alagg.engine.fragment import split
from alagg.engine.header import DATA, SIZE
from alagg.engine.sequence import MASK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link
    from alagg.engine.scheduler.base import Run, Scheduler


class Sender:
    """Turns the packets for one peer into frames on its links."""

    def __init__(self, epoch: int, lane: int, scheduler: Scheduler, links: Sequence[Link]) -> None:
        """Take the random number of this life, the lane, and the peer's links."""
        self.epoch = epoch
        self.lane = lane
        self.scheduler = scheduler
        self.sequence = 0
        self.captured = 0
        """Packets that were given to `send`; each becomes one of the following."""
        self.sent = 0
        """Packets of which at least one link took every piece."""
        self.dropped_no_link = 0
        """Packets that found no open link."""
        self.dropped_too_big = 0
        """Packets that would need more than 256 pieces."""
        self.dropped_full = 0
        """Packets of which no link took all: every link was full or failed."""
        self.split = 0
        """Packets that were split."""
        self.links = tuple(links)
        """All links, open or not."""
        self._open: tuple[Link, ...] = ()
        self.room = 0
        """Bytes of the largest packet that goes over every open link in one piece; below 1 when none is open."""
        self._batches: list[_Batch] = []
        self.links_changed()

    def set_links(self, links: Sequence[Link]) -> None:
        """Take another set of links."""
        self.links = tuple(links)
        self.links_changed()

    def links_changed(self) -> None:
        """Look at the links again: one was opened or closed, or has another MTU."""
        self._open = tuple(link for link in self.links if link.open)
        self.room = min((link.mtu for link in self._open), default=0) - SIZE

    def send(self, packets: list[bytes], now: float) -> None:
        """Queue frames for a batch of packets on the links."""
        self.captured += len(packets)
        if self.room <= 0:
            self.dropped_no_link += len(packets)
            return
        room = self.room
        if _largest(packets) <= room:
            pieces = packets
            places: list[tuple[int, int]] | None = None
        else:
            pieces, places = self._cut(packets, room)
        runs = self.scheduler.schedule(pieces, self._open, now)
        starts = self._seal(pieces, places, runs)
        self._batches.append(_Batch(len(pieces), places, runs, starts))

    def settle(self) -> None:
        """Count the packets as sent or dropped, after every link was told what its port took.

        The last numbers, if no link took a frame with them, are given once more: a gap that nothing can fill would
        make the receiver wait until the slowest link has passed it, whenever the fastest is full.
        """
        if not self._batches:
            return
        unused = 0
        for batch in self._batches:
            batch.settle()
            self.sent += batch.packets - batch.dropped
            self.dropped_full += batch.dropped
            unused = batch.unused + (unused if batch.unused == batch.pieces else 0)
        self._batches = []
        self.sequence = (self.sequence - unused) & MASK

    def _cut(self, packets: list[bytes], room: int) -> tuple[list[bytes], list[tuple[int, int]]]:
        """Split what is too big; give the pieces, and each one's place: its number and the last one's."""
        pieces: list[bytes] = []
        places: list[tuple[int, int]] = []
        for packet in packets:
            if len(packet) <= room:
                pieces.append(packet)
                places.append((0, 0))
                continue
            try:
                parts = split(packet, room)
            except ValueError:
                self.dropped_too_big += 1
                continue
            self.split += 1
            pieces += parts
            places += [(piece, len(parts) - 1) for piece in range(len(parts))]
        return pieces, places

    def _seal(self, pieces: list[bytes], places: list[tuple[int, int]] | None, runs: list[Run]) -> list[int]:
        """Number the pieces and write their frames; give where each run begins in the queue of each of its links."""
        starts = []
        epoch, lane, sequence, index, piece, last_piece = self.epoch, self.lane, self.sequence, 0, 0, 0
        for run in runs:
            part = pieces if run.length == len(pieces) else pieces[index : index + run.length]
            size = 0
            for payload in part:
                size += len(payload)
            for link in run.links:
                starts.append(link.reserve(part, size))  # noqa: PERF401 - no typed loop in C otherwise
            for payload in part:
                length, checksum = len(payload), crc32c(0, payload, 0, len(payload))
                if places is not None:
                    piece, last_piece = places[index]
                for link in run.links:
                    link.write(DATA, epoch, lane, sequence, piece, last_piece, length, checksum)
                sequence = (sequence + 1) & MASK
                index += 1
        self.sequence = sequence
        return starts


def _largest(packets: list[bytes]) -> int:
    """Give the bytes of the largest packet."""
    largest = 0
    for packet in packets:
        largest = max(largest, len(packet))
    return largest


class _Batch:
    """Remembers where a batch was laid, until the ports have said what they took."""

    def __init__(
        self,
        pieces: int,
        places: list[tuple[int, int]] | None,
        runs: list[Run],
        starts: list[int],
    ) -> None:
        self.packets = pieces if places is None else sum(1 for piece, _ in places if piece == 0)
        self.pieces = pieces
        self.dropped = 0
        """How many packets have a piece that no link took; known after `settle`."""
        self.unused = 0
        """How many pieces at the end no link took; known after `settle`."""
        self._places = places
        self._runs = runs
        self._starts = starts

    def settle(self) -> None:
        """Find out what the ports took."""
        for run in self._runs:
            if not self._some_took_all(run):
                break
        else:
            return
        taken = self._taken()
        self.dropped = self._count_dropped(taken)
        self.unused = next((index for index, ok in enumerate(reversed(taken)) if ok), len(taken))

    def _count_dropped(self, taken: list[bool]) -> int:
        if self._places is None:
            return taken.count(False)
        lost, packet_lost = 0, False
        for ok, (piece, last_piece) in zip(taken, self._places, strict=True):
            packet_lost = (piece > 0 and packet_lost) or not ok
            if piece == last_piece:
                lost += packet_lost
        return lost

    def _some_took_all(self, run: Run) -> bool:
        """Tell quickly, without going through the pieces, that one link of the run took its whole queue."""
        for link in run.links:  # noqa: SIM110 - a generator costs more than it asks
            if link.taken >= link.queued:
                return True
        return False

    def _taken(self) -> list[bool]:
        """Give for each piece whether some link took it."""
        starts = iter(self._starts)
        taken: list[bool] = []
        for run in self._runs:
            ok = [False] * run.length
            for link, start in zip(run.links, starts):  # noqa: B905 - each run takes its part of the starts
                for index in range(max(0, min(run.length, link.taken - start))):
                    ok[index] = True
            taken += ok
        return taken
