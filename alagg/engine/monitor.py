"""Monitor: probes a link at a steady interval and says whether the peer answers, and how fast."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from google_crc32c import value as crc32c

from alagg.engine.header import PROBE, PROBE_REPLY
from alagg.engine.link import DOWN, SILENT, UP

if TYPE_CHECKING:
    from alagg.engine.link import Link

MISSES: Final = 3
"""Unanswered probes after which a link is silent."""
PROOFS: Final = 3
"""Answers in a row that a silent link must give before it is up again."""
PENDING: Final = 256
"""Probes whose answers are awaited at the same time: a link may take this many intervals for a round trip."""
REPLIES_PER_SECOND: Final = 200
"""Probes of each lane that are answered per second, twice what the shortest interval asks for; more are counted and
ignored, so that nobody can make us flood."""

_COOKIE = struct.Struct(">II")


class Monitor:
    """Watches one link of a peer."""

    def __init__(self, link: Link, epoch: int, lane: int, interval: float, now: float) -> None:
        """Take the link, this sender's epoch and lane, and the seconds between two probes."""
        self.link = link
        self.state = SILENT if link.open else DOWN
        self.rtt: float | None = None
        """Smoothed round-trip time in seconds (RFC 6298, section 2); None before the first answer."""
        self.rtt_deviation = 0.0
        self.probes_ignored = 0
        """Probes of the peer that came too fast to be answered."""
        self.stray_replies = 0
        """Answers to probes that this node did not send."""
        self.next_time = now
        self._epoch = epoch
        self._lane = lane
        self._interval = interval
        self._number = 0
        self._sent: dict[bytes, float] = {}
        self._last_answer = now
        self._proofs = PROOFS - 1
        self._replies: dict[int, int] = {}
        self._replies_since = now

    def settled(self, now: float) -> bool:
        """Tell whether the state means something: a link that has just opened had no time to be answered."""
        return self.state != SILENT or now - self._last_answer > self._patience

    def probe(self, now: float) -> None:
        """Send the next probe when it is due, and see what the missing answers mean."""
        if now < self.next_time:
            return
        self.next_time = max(self.next_time + self._interval, now)
        if self.link.open:
            self._ask(now)
        self._judge(now)

    def answer(self, lane: int, cookie: bytes, now: float) -> None:
        """Answer a probe of the peer in the lane that it came in: that leads back to the worker that asks."""
        if now - self._replies_since >= 1.0:
            self._replies_since, self._replies = now, {}
        replies = self._replies.get(lane, 0)
        if replies >= REPLIES_PER_SECOND:
            self.probes_ignored += 1
            return
        self._replies[lane] = replies + 1
        self.link.append(PROBE_REPLY, self._epoch, lane, cookie, crc32c(cookie))

    def answered(self, cookie: bytes, now: float) -> None:
        """Take an answer of the peer."""
        sent = self._sent.pop(cookie, None)
        if sent is None:
            self.stray_replies += 1
            return
        self._measure(now - sent)
        self._last_answer = now
        if self.state == SILENT:
            self._proofs += 1
        self._judge(now)

    def _ask(self, now: float) -> None:
        self._number = (self._number + 1) & 0xFFFF_FFFF
        cookie = _COOKIE.pack(self._epoch, self._number)
        if len(self._sent) >= PENDING:
            del self._sent[next(iter(self._sent))]
        self._sent[cookie] = now
        self.link.append(PROBE, self._epoch, self._lane, cookie, crc32c(cookie))

    def _measure(self, rtt: float) -> None:
        if self.rtt is None:
            self.rtt, self.rtt_deviation = rtt, rtt / 2
            return
        self.rtt_deviation += (abs(rtt - self.rtt) - self.rtt_deviation) / 4
        self.rtt += (rtt - self.rtt) / 8

    def _judge(self, now: float) -> None:
        if not self.link.open:
            self.state, self._proofs = DOWN, 0
        elif self.state == DOWN:
            self.state, self._last_answer = SILENT, now
        elif now - self._last_answer > self._patience:
            self.state, self._proofs = SILENT, 0
        elif self._proofs >= PROOFS:
            self.state = UP

    @property
    def _patience(self) -> float:
        """Seconds without an answer after which the link is silent."""
        return (MISSES + 0.5) * self._interval + (self.rtt or 0.0)
