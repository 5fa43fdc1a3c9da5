"""Monitor: probes a link and says whether the peer answers, how fast, and how large a frame gets through.

While packets flow, a link is probed once each interval; an idle one more rarely, since nobody waits for what it would
tell, and at once when packets flow again. Cookies are random: nobody answers a probe that he has not seen.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from google_crc32c import value as crc32c

from alagg.engine.header import COOKIE_SIZE, PROBE, PROBE_REPLY, SIZE
from alagg.engine.link import DOWN, SILENT, UP
from alagg.engine.pathmtu import SMALLEST, PathMtu

if TYPE_CHECKING:
    from alagg.engine.link import Link

MISSES: Final = 3
"""Unanswered probes after which a link is silent."""
PROOFS: Final = 3
"""Answers in a row that a silent link must give before it is up again."""
PENDING: Final = 256
"""Probes whose answers are awaited at the same time: a link may take this many intervals for a round trip."""
REPLIES_PER_SECOND: Final = 400
"""Probes that are answered per second, four times what the shortest interval asks for; more are counted and ignored,
so that nobody can make us flood."""
IDLE_AFTER: Final = 2.0
"""Seconds without packets, and without a change, after which a link is probed more rarely."""
IDLE_INTERVAL: Final = 1.0
"""Seconds between two probes of an idle link, unless the configured interval is longer."""
JITTER: Final = 1 / 8
"""Share of an interval by which probes come early, at random: those of many links never fall into step."""

# The same again for C: other modules cannot see what the .pxd declares.
_MISSES: Final = MISSES
_PROOFS: Final = PROOFS
_PENDING: Final = PENDING
_REPLIES_PER_SECOND: Final = REPLIES_PER_SECOND
_IDLE_AFTER: Final = IDLE_AFTER
_IDLE_INTERVAL: Final = IDLE_INTERVAL
_JITTER: Final = JITTER


class Monitor:
    """Watches one link of a peer."""

    def __init__(
        self, link: Link, epoch: int, lane: int, interval: float, now: float, secret: bytes = b""
    ) -> None:
        """Take the link, this sender's epoch and lane, the seconds between two probes, and what makes cookies."""
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
        self.path_mtu = PathMtu(link)
        self._epoch = epoch
        self._lane = lane
        self._interval = interval
        self._pace = interval
        """Seconds between two probes at present."""
        self._busy_at = now
        """When packets flowed, or the state changed, the last time."""
        self._secret = secret
        self._number = 0
        self._sent: dict[bytes, tuple[float, int]] = {}
        """When each awaited probe was sent, and its size as a frame."""
        self._last_answer = now
        self._proofs = _PROOFS - 1
        self._replies = 0
        self._replies_since = now

    def settled(self, now: float) -> bool:
        """Tell whether the state means something: a link that has just opened had no time to be answered."""
        return self.state != SILENT or now - self._last_answer > self._patience

    def busy(self, now: float) -> None:
        """Note that packets flow: from now on the link is probed at the full pace."""
        if self._pace > self._interval:
            self._pace = self._interval
            self._last_answer = max(self._last_answer, now - self._interval)
            self.next_time = now
        self._busy_at = now

    def probe(self, now: float) -> None:
        """Send the next probe when it is due, and see what the missing answers mean."""
        if now < self.next_time:
            return
        if now - self._busy_at > _IDLE_AFTER:
            self._pace = max(self._interval, _IDLE_INTERVAL)
        self.next_time = now + self._pace
        if self.link.open:
            for size in self.path_mtu.sizes(now, self.round_trip):
                self._ask(size, now)
        self._judge(now)

    def answer(self, cookie: bytes, now: float) -> None:
        """Answer a probe of the peer."""
        if now - self._replies_since >= 1.0:
            self._replies_since, self._replies = now, 0
        if self._replies >= _REPLIES_PER_SECOND:
            self.probes_ignored += 1
            return
        self._replies += 1
        self.link.append(PROBE_REPLY, self._epoch, cookie, crc32c(cookie))

    def answered(self, cookie: bytes, now: float) -> None:
        """Take an answer of the peer."""
        sent = self._sent.pop(cookie, None)
        if sent is None:
            self.stray_replies += 1
            return
        time, size = sent
        self._measure(now - time)
        self.path_mtu.answered(size)
        self._last_answer = now
        if self.state == SILENT and size <= SMALLEST:
            self._proofs += 1
            self.busy(now)
        self._judge(now)

    def _ask(self, size: int, now: float) -> None:
        self._number += 1
        cookie = blake2b(self._number.to_bytes(8, "big"), digest_size=COOKIE_SIZE, key=self._secret).digest()
        if len(self._sent) >= _PENDING:
            del self._sent[next(iter(self._sent))]
        self._sent[cookie] = now, size
        self.next_time -= self._pace * _JITTER * cookie[0] / 256
        payload = cookie.ljust(size - SIZE, b"\0")
        self.link.append(PROBE, self._epoch, payload, crc32c(payload))

    def _measure(self, rtt: float) -> None:
        if self.rtt is None:
            self.rtt, self.rtt_deviation = rtt, rtt / 2
        else:
            self.rtt_deviation += (abs(rtt - self.rtt) - self.rtt_deviation) / 4
            self.rtt += (rtt - self.rtt) / 8
        self.link.rtt = self.rtt

    def _judge(self, now: float) -> None:
        before = self.state
        if not self.link.open:
            self.state, self._proofs = DOWN, 0
        elif self.state == DOWN:
            self.state, self._last_answer = SILENT, now
        elif now - self._last_answer > self._patience:
            self.state, self._proofs = SILENT, 0
        elif self._proofs >= _PROOFS:
            self.state = UP
        if self.state != before:
            self.busy(now)

    @property
    def _patience(self) -> float:
        """Seconds without an answer after which the link is silent."""
        return (_MISSES + 0.5) * self._pace + self.round_trip

    @property
    def round_trip(self) -> float:
        """Seconds within which an answer comes if it comes."""
        return (self.rtt or 0.0) + 4 * self.rtt_deviation
