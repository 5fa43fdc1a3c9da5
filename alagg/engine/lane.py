"""Lane: one number space of a peer, with what each link has brought of it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from alagg.engine.fragment import Rejoiner
from alagg.engine.recovery import SILENCE, Recovery
from alagg.engine.reorder import Item, Reorder
from alagg.engine.sequence import HALF, MASK, extend

if TYPE_CHECKING:
    from alagg.engine.held import Held
    from alagg.engine.link import Link

LOSS_PERIODS: Final = 10
"""Ticks (seconds) over which a link's loss is measured."""
SAMPLE_INTERVAL: Final = 0.02
"""Seconds between two numbers whose copies are timed."""
SAMPLE_MASK: Final = 7
"""Only numbers without these bits are timed, so that most copies need not be looked up."""
SAMPLES: Final = 32
"""Numbers whose copies are awaited at the same time: they cover more than the longest automatic timeout."""
MAX_MISSING: Final = 16
"""Ranges of missing link sequences that are remembered for a report."""
TRACK_JUMP: Final = 1 << 16
"""An advance of the link sequence beyond this is a new start, not a loss."""

# The same again for C: other modules cannot see what the .pxd declares.
_SAMPLE_MASK: Final = SAMPLE_MASK
_SAMPLES: Final = SAMPLES
_SAMPLE_INTERVAL: Final = SAMPLE_INTERVAL
_TRACK_JUMP: Final = TRACK_JUMP


class Track:
    """What one lane knows about one link: the frames that were lost on it, and how far it has come."""

    def __init__(self, epoch: int, link_id: int, link_sequence: int, size: int, now: float) -> None:
        """Start at a frame of a sender's life and of its number for the link, and of so many bytes."""
        self.epoch = epoch
        self.link_id = link_id
        self.passed = -1
        """The highest sequence that came over the link; -1 before the first packet."""
        self.received = 1
        self.received_bytes = size
        self.expected = 1
        self.reordered = 0
        """Frames that were overtaken by others on the link itself."""
        self.reordering = False
        """Whether that happened in the last few seconds."""
        self.last_time = now
        self.highest = link_sequence
        """The highest link sequence, without its wrap."""
        self.missing: deque[tuple[int, int]] = deque(maxlen=MAX_MISSING)
        """Ranges of link sequences that have not come: the first, and the first behind; the newest ones."""
        self._history: deque[tuple[int, int, int]] = deque([(0, 0, 0)], maxlen=LOSS_PERIODS + 1)

    def frame(self, link_sequence: int, size: int, now: float) -> None:
        """Account for a frame of the same epoch, of so many bytes."""
        self.received += 1
        self.received_bytes += size
        self.last_time = now
        number = extend(link_sequence, self.highest)
        ahead = number - self.highest
        if ahead > 0:
            if ahead > 1:
                self.missing.append((self.highest + 1, number))
            self.highest = number
            self.expected += ahead if ahead <= _TRACK_JUMP else 1
        else:
            self.reordered += 1
            self.reordering = True
            self._found(number)

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

    def _found(self, number: int) -> None:
        """Take a number out of what is missing."""
        for index, (first, stop) in enumerate(self.missing):
            if first <= number < stop:
                del self.missing[index]
                self.missing.extend(part for part in ((first, number), (number + 1, stop)) if part[0] < part[1])
                return


def share_lost(received: int, expected: int) -> float:
    """Give the share of frames that did not come, 0 to 1; a late one may be counted as more than came."""
    return min(max(1 - received / expected, 0.0), 1.0) if expected > 0 else 0.0


class Lane:
    """One number space of a peer."""

    def __init__(
        self, number: int, window: int, timeout: float | None, secret: int = 0, store: Held | None = None
    ) -> None:
        """Take the lane's number and the settings of its recovery and reordering."""
        self.number = number
        self.recovery = Recovery(window, timeout, secret, store)
        self.rejoiner = Rejoiner(store)
        self.tracks: dict[Link, Track] = {}
        self.out: list[Item] = []
        self._link: Link | None = None
        self._track: Track | None = None
        """The link of the last frame, and what is known about it."""
        self._samples: dict[int, float] = {}
        self._next_sample = float("-inf")

    @property
    def reorder(self) -> Reorder:
        """The order of the current stream."""
        current = self.recovery.current
        return Reorder(self.recovery.timeout) if current is None else current.reorder

    def track(
        self, link: Link, epoch: int, link_id: int, link_sequence: int, size: int, now: float
    ) -> Track | None:
        """Account for a frame of so many bytes on its link.

        Frames of another life of the sender's, or under another number of the link, start anew only when there are
        no others: nobody can set the figures of a link back that is heard. Nothing is given for what does not count.
        """
        track = self._track if link is self._link else self.tracks.get(link)
        if track is not None and track.epoch == epoch and track.link_id == link_id:
            track.frame(link_sequence, size, now)
        elif track is None or now - track.last_time >= SILENCE or self._is_outlived(track, epoch):
            track = self.tracks[link] = Track(epoch, link_id, link_sequence, size, now)
        else:
            return None
        self._link, self._track = link, track
        return track

    def _is_outlived(self, track: Track, epoch: int) -> bool:
        current = self.recovery.epoch
        return current is not None and epoch == current and track.epoch != current

    def forget(self, link: Link) -> None:
        """Forget a link that is no more."""
        self.tracks.pop(link, None)
        self._link = self._track = None

    def tick(self) -> None:
        """Close a period of measurement on each link."""
        self.recovery.tick()
        for track in self.tracks.values():
            track.tick()

    def first_copy(self, sequence: int, now: float) -> None:
        """Note when a number came first; now and then one is kept to measure how far behind its copies are."""
        if now >= self._next_sample and not sequence & _SAMPLE_MASK:
            self._next_sample = now + _SAMPLE_INTERVAL
            if len(self._samples) >= _SAMPLES:
                del self._samples[next(iter(self._samples))]
            self._samples[sequence] = now

    def later_copy(self, sequence: int, now: float) -> None:
        """Measure the skew between links when this is a copy of a number that was kept."""
        first = None if sequence & _SAMPLE_MASK else self._samples.get(sequence)
        if first is not None:
            self.reorder.lateness.sample(now - first)

    def take_over(self) -> None:
        """Follow another stream; what the numbers before it said says nothing any more."""
        for track in self.tracks.values():
            track.passed = -1
        self._samples.clear()
        for stream in self.recovery.aside:
            stream.reorder.flush(self.out)

    def drop(self) -> None:
        """Throw away all that waits: the peer is no more."""
        for stream in self.recovery.streams():
            stream.reorder.flush(self.out)
        self.out.clear()
        self.rejoiner.drop()

    def release_retired(self) -> None:
        """Release what streams hold that had to make room."""
        for stream in self.recovery.retired:
            stream.reorder.flush(self.out)
        self.recovery.retired = []

    def deadline(self) -> float:
        """Give the time at which `expire` has something to do: never, infinity, when nothing waits."""
        deadline = self.rejoiner.deadline()
        if self.recovery.current is not None:
            deadline = min(deadline, self.recovery.current.reorder.deadline())
        for stream in self.recovery.aside:
            deadline = min(deadline, stream.reorder.deadline())
        return deadline

    def expire(self, now: float) -> None:
        """Release and give up what has waited for long enough."""
        for stream in self.recovery.streams():
            stream.reorder.expire(now, self.out)
        self.rejoiner.expire(now)
