"""Sender: splits, numbers, schedules and seals the packets for one peer.

The way of a batch, in the order of the functions below:

1. `send` takes packets, before them what still waits;
2. `_cut` splits those that are too big for the peer's smallest link;
3. the scheduler lays the pieces on links;
4. `_seal` numbers each piece once, before the fan-out, and queues a frame on each of its links;
5. the ports take the frames, and `settle` finds out which pieces no link took. These keep their numbers and wait, for
   a moment and for so many bytes, until some link has room; what comes meanwhile and finds no place is dropped before
   it has a number. So a number is never given to two payloads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.crc import crc32c
from alagg.engine.fragment import split
from alagg.engine.header import DATA, SIZE
from alagg.engine.late import Late
from alagg.engine.sequence import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alagg.engine.flowqueue import Budget
    from alagg.engine.link import Link
    from alagg.engine.scheduler.base import Run, Scheduler

MAX_WAITING: Final = 1 << 20
"""Bytes that wait for a link with room."""
PATIENCE: Final = 0.05
"""Seconds that they wait at most."""
AT_ONCE: Final = 64
"""Pieces that are tried again at once."""
RETRY: Final = 0.001
"""Seconds between two attempts to send what waits."""

# The same again for C: other modules cannot see what the .pxd declares.
_MAX_WAITING: Final = MAX_WAITING
_PATIENCE: Final = PATIENCE
_RETRY: Final = RETRY
_AT_ONCE: Final = AT_ONCE


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
        """Packets of which no link took all in time: every link was full or failed."""
        self.split = 0
        """Packets that were split."""
        self.links = tuple(links)
        """All links, open or not."""
        self.due = float("inf")
        """The time at which `retry` has something to do."""
        self._open: tuple[Link, ...] = ()
        self.room = 0
        """Bytes of the largest packet that goes over every open link in one piece; below 1 when none is open."""
        self._batches: list[_Batch] = []
        self._waiting: list[_Waiting] = []
        """Pieces that have a number and that no link has taken yet, in the order of their numbers."""
        self._bytes = 0
        self.late: Late | None = None
        """The way of the packets where links have a rate; None where none has."""
        self._untaken: dict[int, int] = {}
        """How many pieces each of their packets lacks, by the number of its first one."""
        self.links_changed()

    @property
    def waiting(self) -> int:
        """Packets that wait for a link with room."""
        return len(self._untaken) + (0 if self.late is None else self.late.waiting)

    def set_rates(self, rates: Mapping[Link, tuple[float, int]], budget: Budget) -> None:
        """Take each link's bytes per second, 0 for no limit, and the bytes that its frames have before our header."""
        if self.late is None and (self.scheduler.measures or any(rate for rate, _ in rates.values())):
            self.late = Late(self, budget)
        if self.late is not None:
            self.late.set_rates(rates)
            self.due = 0.0

    def set_links(self, links: Sequence[Link]) -> None:
        """Take another set of links."""
        self.links = tuple(links)
        self.links_changed()

    def links_changed(self) -> None:
        """Look at the links again: one was opened or closed, is held back or not any more, or has another MTU."""
        usable = tuple(link for link in self.links if link.open and not link.is_shut)
        self._open = tuple(link for link in usable if not link.held) or usable
        self.room = min((link.room for link in self._open), default=0) - SIZE
        if self.late is not None:
            self.due = 0.0

    def send(self, packets: list[bytes], now: float) -> None:
        """Queue frames for a batch of packets on the links."""
        self.captured += len(packets)
        if self.room <= 0:
            self.dropped_no_link += len(packets)
            return
        if self.late is not None:
            self.late.send(packets, self._open, self.room, now)
            self.due = min(self.due, self.late.due)
            return
        if self._waiting:
            is_full = self._bytes >= _MAX_WAITING
            self.retry(now)
            if is_full:
                self.dropped_full += len(packets)
                return
        room = self.room
        if _largest(packets) <= room:
            pieces = packets
            places: list[tuple[int, int]] | None = None
        else:
            pieces, places = self._cut(packets, room)
        runs = self.scheduler.schedule(pieces, self._open, now)
        batch = _Batch(self.sequence, pieces, places, runs, now)
        self._seal(batch)
        self.sequence = (self.sequence + len(pieces)) & MASK
        self._batches.append(batch)

    def retry(self, now: float) -> None:
        """Queue what waits once more, and give up what has waited for too long."""
        self._expire(now)
        if self.late is not None:
            self.late.pump(self._open, self.room, now)
        waiting, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
        self._bytes = _bytes_of(self._waiting)
        self.due = now + _RETRY if waiting else float("inf")
        if self.late is not None:
            self.due = min(self.due, self.late.due)
        if not waiting:
            return
        if self.room <= 0:
            self._keep(waiting)
            return
        runs = self.scheduler.schedule([one.payload for one in waiting], self._open, now)
        batch = _Batch(0, [one.payload for one in waiting], None, runs, now)
        batch.again = waiting
        self._seal(batch)
        self._batches.append(batch)

    def settle(self) -> None:
        """Count the packets as sent, after every link was told what its port took; the others wait."""
        if self.late is not None:
            self.late.settle()
            self.due = min(self.due, self.late.due)
        if not self._batches:
            return
        batches, self._batches = self._batches, []
        for batch in batches:
            if batch.all_taken() and batch.again is None:
                self.sent += batch.packets
            else:
                self._settle(batch)

    def _settle(self, batch: _Batch) -> None:
        """Count what some link took, and keep the rest."""
        taken = batch.taken()
        if batch.again is not None:
            self._settle_again(batch.again, taken)
            return
        self.sent += batch.packets
        kept = []
        for index, ok in enumerate(taken):
            if not ok:
                piece, last_piece = batch.places[index] if batch.places is not None else (0, 0)
                number = (batch.sequence + index) & MASK
                kept.append(_Waiting(number, piece, last_piece, batch.pieces[index], batch.time + _PATIENCE))
        for one in kept:
            first = one.first
            self.sent -= first not in self._untaken
            self._untaken[first] = self._untaken.get(first, 0) + 1
        self._keep(kept)
        self.due = min(self.due, batch.time + _RETRY)

    def _settle_again(self, waiting: list[_Waiting], taken: list[bool]) -> None:
        kept = []
        for one, ok in zip(waiting, taken, strict=True):
            if one.first not in self._untaken:  # its packet was given up while this piece was tried
                continue
            if not ok:
                kept.append(one)
                continue
            self._untaken[one.first] -= 1
            if not self._untaken[one.first]:
                del self._untaken[one.first]
                self.sent += 1
        self._keep(kept)

    def _keep(self, waiting: list[_Waiting]) -> None:
        """Have pieces wait, in the order of their numbers: those that were tried again come first."""
        if self._waiting and waiting and waiting[0].deadline < self._waiting[0].deadline:
            self._waiting = waiting + self._waiting
        else:
            self._waiting = self._waiting + waiting
        self._bytes += _bytes_of(waiting)

    def _expire(self, now: float) -> None:
        """Drop the packets of which a piece has waited for too long, or fits no more; their numbers stay used."""
        room = self.room if self.room > 0 else _MAX_WAITING
        late = {one.first for one in self._waiting if one.deadline <= now or len(one.payload) > room}
        for first in late:
            del self._untaken[first]
            self.dropped_full += 1
        if late:
            self._waiting = [one for one in self._waiting if one.first not in late]

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

    def _seal(self, batch: _Batch) -> None:
        """Write the frames of a batch, and note where each run begins in the queue of each of its links."""
        epoch, lane, sequence, index, piece, last_piece = self.epoch, self.lane, batch.sequence, 0, 0, 0
        pieces, places, again, starts = batch.pieces, batch.places, batch.again, batch.starts
        for run in batch.runs:
            part = pieces if run.length == len(pieces) else pieces[index : index + run.length]
            size = 0
            for payload in part:
                size += len(payload)
            for link in run.links:
                starts.append(link.reserve(part, size))
            for payload in part:
                length, checksum = len(payload), crc32c(0, payload, 0, len(payload))
                if places is not None:
                    piece, last_piece = places[index]
                elif again is not None:
                    sequence, piece, last_piece = again[index].place
                for link in run.links:
                    link.write(DATA, epoch, lane, sequence, piece, last_piece, length, checksum)
                sequence = (sequence + 1) & MASK
                index += 1


def _largest(packets: list[bytes]) -> int:
    """Give the bytes of the largest packet."""
    largest = 0
    for packet in packets:
        largest = max(largest, len(packet))
    return largest


def _bytes_of(waiting: list[_Waiting]) -> int:
    return sum([len(one.payload) for one in waiting])


class _Waiting:
    """A piece that has a number and that no link has taken yet."""

    def __init__(self, sequence: int, piece: int, last_piece: int, payload: bytes, deadline: float) -> None:
        self.place = sequence, piece, last_piece
        self.first = (sequence - piece) & MASK
        """The number of its packet's first piece."""
        self.payload = payload
        self.deadline = deadline


class _Batch:
    """Remembers where a batch was laid, until the ports have said what they took."""

    def __init__(
        self,
        sequence: int,
        pieces: list[bytes],
        places: list[tuple[int, int]] | None,
        runs: list[Run],
        now: float,
    ) -> None:
        self.sequence = sequence
        """The number of the first piece."""
        self.pieces = pieces
        self.places = places
        self.runs = runs
        self.time = now
        self.starts: list[int] = []
        """Where each run begins in the queue of each of its links."""
        self.again: list[_Waiting] | None = None
        """For pieces that had waited: their numbers and places."""
        self.packets = len(pieces) if places is None else sum(1 for piece, _ in places if piece == 0)

    def all_taken(self) -> bool:
        """Tell quickly, without going through the pieces, whether for each run one link took its whole queue."""
        for run in self.runs:
            for link in run.links:
                if link.taken >= link.queued:
                    break
            else:
                return False
        return True

    def taken(self) -> list[bool]:
        """Give for each piece whether some link took it."""
        starts = iter(self.starts)
        taken: list[bool] = []
        for run in self.runs:
            ok = [False] * run.length
            for link, start in zip(run.links, starts):  # noqa: B905 - each run takes its part of the starts
                for index in range(max(0, min(run.length, link.taken - start))):
                    ok[index] = True
            taken += ok
        return taken
