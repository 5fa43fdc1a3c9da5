"""Recovery (IEEE 802.1CB, 7.4.3): accept each number once, whatever order the copies come in.

A `Window` remembers the last numbers of one stream in a ring, as in RFC 6479. `Recovery` keeps several of them for
one lane of a peer, so that neither a restarted sender nor a single strange frame can harm a live stream:

- *current*: the stream that is released in order;
- *aside*: a new epoch, a jump too far for the window, or what was current before. Their packets pass at once, each
  once; one of them takes over when it has shown several packets while the current stream fell silent. So late
  frames of an old epoch are neither lost nor do they flip anything back.

Every verb's cost is bounded by the size of the window, whatever number a frame carries.
"""

from __future__ import annotations

from typing import Final

from alagg.engine.sequence import HALF, MASK, distance

DISCARDED: Final = 0
"""Verdict: a copy of this number was passed before."""
ROGUE: Final = 1
"""Verdict: the number lies too far behind a live stream to be judged."""
PASSED: Final = 2
"""Verdict: the first copy of a number of the current stream."""
PASSED_ASIDE: Final = 3
"""Verdict: the first copy of a number of another stream, to be delivered at once."""
TOOK_OVER: Final = 4
"""Verdict: the first copy, and its stream is the current one from now on."""

SILENCE: Final = 1.0
"""Seconds without a frame after which another stream may take the current one's place."""
TRIAL_FRAMES: Final = 8
"""Packets that another stream must show since the current one's last frame before it takes over."""

ASIDE: Final = 4
"""Streams besides the current one that are remembered; the one heard longest ago makes room for another."""


class Window:
    """The numbers of one stream that were seen, in a ring that remembers the last `size` of them."""

    def __init__(self, epoch: int, sequence: int, size: int, now: float) -> None:
        """Start at `sequence`, which counts as seen; `size` is a power of two."""
        self.epoch = epoch
        self.highest = sequence
        self.size = size
        self.last_time = now
        self.run = 1
        """Packets passed since the current stream's last frame, while this one is not current."""
        self.passed = 1
        self.expected = 1
        """How many numbers the stream has spanned from its first to its highest."""
        self.out_of_order = 0
        self.discarded = 0
        self._first = sequence
        self._mask = size - 1
        self._seen = bytearray(size)
        self._seen[sequence & self._mask] = 1

    def covers(self, sequence: int) -> bool:
        """Tell whether the ring can judge the number: at most `size` ahead, less than `size` behind."""
        ahead = ((sequence - self.highest + HALF) & MASK) - HALF
        return -self.size < ahead <= self.size

    def accept(self, sequence: int) -> bool:
        """Tell whether a covered number is seen for the first time, and remember it."""
        ahead = ((sequence - self.highest + HALF) & MASK) - HALF
        slot = sequence & self._mask
        if ahead > 0:
            if ahead > 1:
                self._forget(ahead)
            self.highest = sequence
            self.expected += ahead
        elif self._seen[slot]:
            self.discarded += 1
            return False
        else:
            self.out_of_order += 1
            self._reach_back(sequence)
        self._seen[slot] = 1
        self.passed += 1
        return True

    @property
    def lost(self) -> int:
        """Numbers up to the highest of which no copy has come (yet: a late one makes it fall again)."""
        return self.expected - self.passed

    def _forget(self, ahead: int) -> None:
        """Clear the slots that an advance by 2 to `size` numbers passes over."""
        start = (self.highest + 1) & self._mask
        count = ahead - 1
        tail = min(count, self.size - start)
        self._seen[start : start + tail] = bytes(tail)
        self._seen[: count - tail] = bytes(count - tail)

    def _reach_back(self, sequence: int) -> None:
        """Widen the span when the very first frames came out of order."""
        if self.expected < self.size:
            before = distance(self._first, sequence)
            if before > 0:
                self._first = sequence
                self.expected += before


class Recovery:
    """Decides for each frame of one lane of a peer whether its packet is new."""

    def __init__(self, size: int) -> None:
        """Take the windows' size in numbers, a power of two."""
        self.rogue = 0
        self.resets = 0
        """How often another stream took over: a restarted sender, or a jump of its numbers."""
        self._size = size
        self._current: Window | None = None
        self._aside: list[Window] = []
        """The other streams, the one heard last at the end."""
        self._retired = dict.fromkeys(("passed", "discarded", "out_of_order", "lost"), 0)

    def accept(self, epoch: int, sequence: int, now: float) -> int:
        """Judge one number; give a verdict, `DISCARDED` to `TOOK_OVER`."""
        window = self._current
        if window is None:
            self._current = Window(epoch, sequence, self._size, now)
            return TOOK_OVER
        if window.epoch == epoch and window.covers(sequence):
            window.last_time = now
            return PASSED if window.accept(sequence) else DISCARDED
        return self._accept_aside(window, epoch, sequence, now)

    def is_current(self, epoch: int) -> bool:
        """Tell whether an epoch is the current stream's."""
        return self._current is not None and self._current.epoch == epoch

    @property
    def epoch(self) -> int | None:
        """The current stream's epoch; None before the first frame."""
        return None if self._current is None else self._current.epoch

    def counters(self) -> dict[str, int]:
        """Give the counters of IEEE 802.1CB, 10.8, over all streams so far."""
        total = dict(self._retired)
        for window in (self._current, *self._aside):
            if window is not None:
                for key in total:
                    total[key] += getattr(window, key)
        return {**total, "rogue": self.rogue, "resets": self.resets}

    def _accept_aside(self, current: Window, epoch: int, sequence: int, now: float) -> int:
        """Judge a number that the current window cannot."""
        for window in self._aside:
            if window.epoch == epoch and window.covers(sequence):
                return self._accept_in(window, current, sequence, now)
        silent = now - current.last_time >= SILENCE
        if epoch == current.epoch and not silent and distance(sequence, current.highest) < 0:
            self.rogue += 1
            return ROGUE
        if len(self._aside) >= ASIDE:
            self._retire(self._aside.pop(0))
        self._aside.append(Window(epoch, sequence, self._size, now))
        return PASSED_ASIDE

    def _accept_in(self, window: Window, current: Window, sequence: int, now: float) -> int:
        """Judge a number of a stream aside, and let it take over when it is due."""
        self._aside.remove(window)
        self._aside.append(window)
        if window.last_time < current.last_time:
            window.run = 0
        window.last_time = now
        if not window.accept(sequence):
            return DISCARDED
        window.run += 1
        if window.run < TRIAL_FRAMES or now - current.last_time < SILENCE:
            return PASSED_ASIDE
        self._aside.remove(window)
        self._aside.append(current)
        self._current = window
        self.resets += 1
        return TOOK_OVER

    def _retire(self, window: Window) -> None:
        """Keep the counters of a stream that is forgotten."""
        for key in self._retired:
            self._retired[key] += getattr(window, key)
