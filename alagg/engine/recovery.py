"""Recovery (IEEE 802.1CB, 7.4.3): accept each packet once, whatever order the copies come in.

Two questions are kept apart, so that neither a restarted sender nor frames that somebody forges can harm a stream:

- *Was it here before?* For what a stream goes on with, `alagg.engine.ring` knows what each of its last numbers said;
  for all else, late or claimed by several, `alagg.engine.seen` answers for each packet by itself. In doubt it passes:
  a rare duplicate does less harm than a lost packet.
- *Which stream does it belong to?* A stream is a run of numbers of one epoch around the number that is released next.
  The *current* one is what the peer sends, as far as is known. A new epoch, or a jump too far to be the same stream,
  is another one, *aside*: with an order of its own, so it waits for nothing and disturbs nobody. It takes the current
  one's place when it has shown several packets and that one fell silent.

What a link with keys may rely on is less work: `Strict` stands at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.reorder import SLOTS, Reorder
from alagg.engine.ring import COPY, NEW, SECONDS, Ring
from alagg.engine.seen import Seen
from alagg.engine.sequence import extend

if TYPE_CHECKING:
    from alagg.engine.held import Held

DISCARDED: Final = 0
"""Verdict: a copy of this packet was passed before."""
ROGUE: Final = 1
"""Verdict of `Strict`: the number lies too far behind to be judged. Without keys no number is a reason to reject."""
PASSED: Final = 2
"""Verdict: the first copy of a packet of the current stream."""
PASSED_ASIDE: Final = 3
"""Verdict: the first copy of a packet of another stream."""
TOOK_OVER: Final = 4
"""Verdict: the first copy, and its stream is the current one from now on."""

SILENCE: Final = 1.0
"""Seconds without a frame after which another stream may take the current one's place."""
TRIAL_FRAMES: Final = 8
"""Packets that another stream must show since the current one's last frame before it takes over."""
REACH: Final = SLOTS
"""A number at most this far from the one that is released next belongs to the stream."""

ASIDE: Final = 8
"""Streams besides the current one; of those that showed least, the one heard longest ago makes room for another."""

# The same again for C: other modules cannot see what the .pxd declares.
_DISCARDED: Final = DISCARDED
_ROGUE: Final = ROGUE
_PASSED: Final = PASSED
_PASSED_ASIDE: Final = PASSED_ASIDE
_TOOK_OVER: Final = TOOK_OVER
_SILENCE: Final = SILENCE
_TRIAL_FRAMES: Final = TRIAL_FRAMES
_ASIDE: Final = ASIDE
_REACH: Final = REACH
_SECONDS: Final = SECONDS
_COPY: Final = COPY
_NEW: Final = NEW


class Stream:
    """A run of numbers of one epoch, and their order."""

    def __init__(
        self, epoch: int, sequence: int, timeout: float | None, now: float, store: Held | None = None
    ) -> None:
        """Start at `sequence`, which has not been accepted yet; `timeout`, `store`: see `alagg.engine.reorder`."""
        self.epoch = epoch
        self.highest = sequence - 1
        """The highest number, without its wrap."""
        self.last_time = now
        self.run = 0
        """Packets since the current stream's last frame, while this one is not current."""
        self.passed = 0
        self.expected = 0
        """How many numbers the stream has spanned from its first to its highest."""
        self.out_of_order = 0
        self.reorder = Reorder(timeout, store)
        self.ring: Ring | None = None
        """What its last numbers said, while it is or was the current stream."""
        self.strange = sequence - 1
        """The highest number, without its wrap, that was remembered elsewhere since the ring had no place for it."""
        self._first = sequence

    def covers(self, epoch: int, sequence: int) -> bool:
        """Tell whether a number belongs to the stream."""
        return epoch == self.epoch and -_REACH <= self.reorder.ahead(sequence) <= _REACH

    def accept(self, number: int) -> None:
        """Count a number, without its wrap, that is there for the first time."""
        self.passed += 1
        if number > self.highest:
            self.expected += number - self.highest
            self.highest = number
        else:
            self.out_of_order += 1
            if number < self._first:
                self.expected += self._first - number
                self._first = number

    @property
    def lost(self) -> int:
        """Numbers up to the highest of which no copy has come (yet: a late one makes it fall again)."""
        return max(self.expected - self.passed, 0)


class Recovery:
    """Decides for each frame of one lane of a peer whether its packet is new, and to which stream it belongs."""

    def __init__(
        self, size: int, timeout: float | None = None, secret: int = 0, store: Held | None = None
    ) -> None:
        """Take how many packets are remembered, a power of two, the streams' timeout, and 64 secret bits."""
        self._store = store
        self.rogue = 0
        self.resets = 0
        """How often another stream took over: a restarted sender, or a jump of its numbers."""
        self.discarded = 0
        self.stream: Stream | None = None
        """The stream of the packet that was judged last."""
        self.current: Stream | None = None
        self.aside: list[Stream] = []
        """The other streams, the one heard last at the end."""
        self.retired: list[Stream] = []
        """Streams that had to make room, until their owner has released what they hold."""
        self.timeout = timeout
        self._size = size
        self._strange = Seen(size, secret)
        """What is in no ring: however much that is, it pushes nothing of the current stream out."""
        self._retired = dict.fromkeys(("passed", "out_of_order", "lost"), 0)

    def accept(self, epoch: int, sequence: int, now: float, fingerprint: int = 0) -> int:
        """Judge one packet; give a verdict, and leave its stream in `stream`."""
        stream = self.current
        if stream is None or stream.ring is None or epoch != stream.epoch:
            return self._accept_strange(epoch, sequence, now, fingerprint)
        ahead = stream.reorder.ahead(sequence)
        if not -_REACH <= ahead <= _REACH:
            return self._accept_strange(epoch, sequence, now, fingerprint)
        stream.last_time = now
        self.stream = stream
        number = extend(sequence, stream.highest)
        if not self._is_new(stream, stream.ring, sequence, number, ahead, fingerprint, now):
            self.discarded += 1
            return _DISCARDED
        stream.accept(number)
        return _PASSED

    def tick(self) -> None:
        """Begin another second of what is remembered."""
        self._strange.tick()

    def is_current(self, epoch: int) -> bool:
        """Tell whether an epoch is the current stream's."""
        return self.current is not None and self.current.epoch == epoch

    @property
    def epoch(self) -> int | None:
        """The current stream's epoch; None before the first frame."""
        return None if self.current is None else self.current.epoch

    def streams(self) -> list[Stream]:
        """Give all streams, the current one first."""
        return self.aside if self.current is None else [self.current, *self.aside]

    def counters(self) -> dict[str, int]:
        """Give the counters of IEEE 802.1CB, 10.8, over all streams so far."""
        total = dict(self._retired)
        for stream in self.streams():
            for key in total:
                total[key] += getattr(stream, key)
        passed, out_of_order, lost = total.values()
        return {
            "passed": passed, "discarded": self.discarded, "out_of_order": out_of_order, "lost": lost,
            "rogue": self.rogue, "resets": self.resets,
        }  # fmt: skip

    def _is_new(
        self, stream: Stream, ring: Ring, sequence: int, number: int, ahead: int, fingerprint: int, now: float
    ) -> bool:
        """Remember a packet of the current stream; tell whether it is there for the first time."""
        if ahead < 0:
            return not ring.has(sequence, fingerprint) and self._strange.add(stream.epoch, sequence, fingerprint)
        if not ring.keeps(ahead):
            stream.strange = max(stream.strange, number)
            return self._strange.add(stream.epoch, sequence, fingerprint)
        found = ring.put(sequence, fingerprint, now)
        if found == _COPY:
            return False
        if found != _NEW:
            return self._strange.add(stream.epoch, sequence, fingerprint)
        is_known = self.aside or number <= stream.strange
        return not (is_known and self._strange.has(stream.epoch, sequence, fingerprint))

    def _accept_strange(self, epoch: int, sequence: int, now: float, fingerprint: int) -> int:
        """Judge a packet that is not the current stream's."""
        for stream in self.streams():
            if stream.ring is not None and stream.epoch == epoch and stream.ring.has(sequence, fingerprint):
                break
        else:
            if self._strange.add(epoch, sequence, fingerprint):
                return self._accept_aside(epoch, sequence, now)
        self.discarded += 1
        self.stream = None
        return _DISCARDED

    def _accept_aside(self, epoch: int, sequence: int, now: float) -> int:
        """Take a packet that is not the current stream's, and that is there for the first time."""
        current = self.current
        stream = self._find(epoch, sequence, now)
        stream.accept(extend(sequence, stream.highest))
        self.stream = stream
        if current is None:
            self._take_over(stream, now)
            return _TOOK_OVER
        if stream.last_time < current.last_time:
            stream.run = 0
        stream.last_time = now
        stream.run += 1
        if stream.run < _TRIAL_FRAMES or now - current.last_time < _SILENCE:
            return _PASSED_ASIDE
        self.aside.remove(stream)
        self.aside.append(current)
        self._take_over(stream, now)
        self.resets += 1
        return _TOOK_OVER

    def _take_over(self, stream: Stream, now: float) -> None:
        self.current = stream
        if stream.ring is None:
            stream.ring = Ring(self._size, now)
        stream.strange = stream.highest
        for other in self.aside:
            if now - other.last_time > _SECONDS:
                other.ring = None

    def _find(self, epoch: int, sequence: int, now: float) -> Stream:
        """Give the stream aside that a number belongs to, or begin it."""
        for stream in self.aside:
            if stream.covers(epoch, sequence):
                self.aside.remove(stream)
                self.aside.append(stream)
                return stream
        if len(self.aside) >= _ASIDE:
            self._retire(min(self.aside, key=_shown))
        stream = Stream(epoch, sequence, self.timeout, now, self._store)
        if self.current is not None:
            self.aside.append(stream)
        return stream

    def _retire(self, stream: Stream) -> None:
        """Forget a stream but for its counters, and for what it holds."""
        self.aside.remove(stream)
        self.retired.append(stream)
        for key in self._retired:
            self._retired[key] += getattr(stream, key)


def _shown(stream: Stream) -> int:
    return stream.passed


class Strict:
    """The rule for a session with keys: authenticated numbers only, so what is behind the window is a replay.

    A ring bitmap as in RFC 6479; numbers have 64 bits and never wrap within a key.
    """

    def __init__(self, size: int) -> None:
        """Remember the last `size` numbers, a power of two."""
        self.highest = -1
        self._mask = size - 1
        self._seen = bytearray(size)

    def accept(self, number: int) -> int:
        """Judge an authenticated number: `PASSED`, `DISCARDED`, or `ROGUE` for one behind the window."""
        mask = self._mask
        if number > self.highest:
            for passed_over in range(max(self.highest + 1, number - mask), number):
                self._seen[passed_over & mask] = 0
            self.highest = number
        elif number + mask < self.highest:
            return _ROGUE
        elif self._seen[number & mask]:
            return _DISCARDED
        self._seen[number & mask] = 1
        return _PASSED
