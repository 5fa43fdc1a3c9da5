"""Monitor: probes a link and says whether the peer answers, how fast, and how large a frame gets through.

While packets flow, a link is probed once each interval; an idle one more rarely, since nobody waits for what it would
tell, and at once when packets flow again. Cookies are random: nobody answers a probe that he has not seen.

What happens to a link are events of `alagg.engine.state`; the table there says which state follows. A link is given
up three beats, or three of its own round trips, after its last answer, whichever is longer; before that, when an
answer is overdue, it is suspect and probed four times as often. One that comes back is wary first: the longer, the
more often it came back within a minute (damping of flaps, as RFC 2439 has it for routes).
"""

from __future__ import annotations

from collections import deque
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from google_crc32c import value as crc32c

from alagg.engine.header import COOKIE_SIZE, PROBE, PROBE_REPLY, SIZE
from alagg.engine.pathmtu import SMALLEST, PathMtu
from alagg.engine.state import (
    ANSWERED,
    BLOCK,
    BLOCKED,
    CAP,
    CAPPED,
    CLOSED,
    DOWN,
    HOLDS,
    LOST,
    MISSED,
    NEW,
    OPENED,
    PROVEN,
    RELEASE,
    REST,
    SHUT,
    SILENT,
    STANDBY,
    SUSPECT,
    UP,
    WARY,
    after,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.engine.link import Link

MISSES: Final = 3
"""Beats, or round trips, without an answer after which a link is silent."""
OVERDUE: Final = 1.5
"""Beats after the last answer at which a link is suspect, besides what its round trip varies by."""
HASTE: Final = 4
"""How many times as often a suspect link is probed."""
FIRST_PATIENCE: Final = 1.0
"""Seconds for the first answer, the round trip being unknown (RFC 6298, section 2.1)."""
PROOFS: Final = 3
"""Answers in a row that a link must give that came back, before it is up again."""
FLAPS: Final = 60.0
"""Seconds in which returns are counted."""
DAMPING: Final = 1.0
"""Seconds for which a link must answer after its second return within that time; doubled with each further one."""
MAX_DAMPING: Final = 30.0
"""The longest such time."""
BASE_PERIOD: Final = 10.0
"""Seconds after which the shortest round trip is looked for anew."""
PENDING: Final = 256
"""Probes whose answers are awaited at the same time: a link may take this many intervals for a round trip."""
REPLIES_PER_SECOND: Final = 400
"""Probes that are answered per second, four times what the shortest interval asks for; more are counted and ignored,
so that nobody can make us flood."""
IDLE_AFTER: Final = 2.0
"""Seconds without packets, and without a change, after which a link is probed more rarely."""
IDLE_INTERVAL: Final = 1.0
"""Seconds between two probes of an idle link, unless the configured interval is longer."""
RARELY: Final = 4.0
"""The same for one that has been silent for long; sooner it is a quarter of the time since the last answer."""
PROMPT: Final = 0.1
"""Seconds between two probes that are sent because the peer was heard on a link without answers."""
JITTER: Final = 1 / 8
"""Share of an interval by which probes come early, at random: those of many links never fall into step."""

BEATS: Final = 64
"""Moments of a second at which idle links are probed, a bit early: many in one go, and the loop sleeps in between."""

# The same again for C: other modules cannot see what the .pxd declares.
_MISSES: Final = MISSES
_OVERDUE: Final = OVERDUE
_HASTE: Final = HASTE
_FIRST_PATIENCE: Final = FIRST_PATIENCE
_PROOFS: Final = PROOFS
_FLAPS: Final = FLAPS
_DAMPING: Final = DAMPING
_MAX_DAMPING: Final = MAX_DAMPING
_BASE_PERIOD: Final = BASE_PERIOD
_PENDING: Final = PENDING
_REPLIES_PER_SECOND: Final = REPLIES_PER_SECOND
_IDLE_AFTER: Final = IDLE_AFTER
_IDLE_INTERVAL: Final = IDLE_INTERVAL
_JITTER: Final = JITTER
_RARELY: Final = RARELY
_PROMPT: Final = PROMPT
_BEATS: Final = BEATS


class Monitor:
    """Watches one link of a peer."""

    def __init__(
        self, link: Link, epoch: int, lane: int, interval: float, now: float, secret: bytes = b""
    ) -> None:
        """Take the link, this sender's epoch and lane, the seconds between two probes, and what makes cookies."""
        self.link = link
        self.rtt: float | None = None
        """Smoothed round-trip time in seconds (RFC 6298, section 2); None before the first answer."""
        self.rtt_deviation = 0.0
        self.probes_ignored = 0
        """Probes of the peer that came too fast to be answered, or on a link that is blocked or capped."""
        self.stray_replies = 0
        """Answers to probes that this node did not send."""
        self.next_time = now
        """When the next probe is due."""
        self.path_mtu = PathMtu(link)
        self.holds: dict[str, str] = {}
        """What holds the link back, `BLOCKED`, `CAPPED` or `STANDBY`, and why, in words."""
        self.wants = ""
        """The strongest of it (`alagg.engine.state.HOLDS`), or nothing."""
        self._epoch = epoch
        self._lane = lane
        self._interval = interval
        self._pace = interval
        """Seconds between two probes at present."""
        self.is_idle = False
        """Whether nobody waits for what the next probe tells."""
        self._busy_at = now
        """When packets flowed, or the state changed, the last time."""
        self._asked = float("-inf")
        """When the last probe was sent."""
        self._secret = secret
        self._number = 0
        self._sent: dict[bytes, tuple[float, int]] = {}
        """When each awaited probe was sent, and its size as a frame."""
        self._pings: dict[bytes, tuple[float, Callable[[float], None]]] = {}
        """The same of those that somebody has asked for, and who is told of the answer."""
        self._last_answer = now
        self._proofs = 0
        self._needed = 1
        """Answers in a row after which the link is up."""
        self._wary_until = now
        self.damping = 0.0
        """Seconds for which it has to answer before it is up, since it came back so often."""
        self._returns: deque[float] = deque(maxlen=16)
        """When it came back, of late."""
        self._bases = [float("inf"), float("inf")]
        """The shortest round trips of this period and the one before."""
        self._base_since = now
        self._replies = 0
        self._replies_since = now
        if not link.open:
            self._happen(CLOSED, now)

    @property
    def state(self) -> str:
        """The link's state."""
        return self.link.state

    @property
    def due(self) -> float:
        """The time at which `probe` has something to do."""
        state = self.link.state
        if self.link.is_shut:
            return float("inf")
        if state in (NEW, WARY, SUSPECT, STANDBY):
            return min(self.next_time, self._last_answer + self._patience)
        return min(self.next_time, self._last_answer + self._overdue) if state == UP else self.next_time

    def busy(self, now: float) -> None:
        """Note that packets flow: from now on the link is probed at the full pace."""
        if self._pace > self._interval:
            self._pace = self._interval
            self._last_answer = max(self._last_answer, now - self._interval)
            self.next_time = now
        self._busy_at = now
        self.is_idle = False

    def hurry(self, now: float) -> None:
        """Probe soon: the peer was heard, so it will answer, and the next beat may be far off."""
        self.next_time = min(self.next_time, max(now, self._asked + _PROMPT))

    def doubt_size(self, now: float) -> None:
        """Find out how large a frame arrives: somebody says that it is less than before."""
        self.path_mtu.doubt()
        self.next_time = min(self.next_time, now + self._interval / _HASTE)

    def probe(self, now: float) -> None:
        """Send the next probe when it is due, and see what the missing answers mean."""
        if now < self.due:
            return
        if now >= self.next_time and not self.link.is_shut:
            if now - self.next_time > self._pace:
                self._last_answer = min(self._last_answer + now - self.next_time, now)  # it was us who slept
            self._beat(now)
        self._judge(now)

    def port_changed(self, now: float) -> None:
        """Take that the port can send now, or cannot."""
        self.next_time = now
        self._happen(OPENED if self.link.open else CLOSED, now)

    def note(self, state: str, why: str) -> None:
        """Note what holds the link back, blocked, capped or in standby, and why; with no reason, no more."""
        if why:
            self.holds[state] = why
        else:
            self.holds.pop(state, None)
        self.wants = ""
        for one in reversed(HOLDS):
            if one in self.holds:
                self.wants = one

    def hold(self, state: str, why: str, now: float) -> None:
        """Hold the link back, for a reason in words, or for this one no longer; the strongest that is left counts."""
        self.note(state, why)
        if self.link.is_shut and self.wants not in SHUT:
            self._needed = 1  # that was no failure of the link's
        self._happen({BLOCKED: BLOCK, CAPPED: CAP, STANDBY: REST}.get(self.wants, RELEASE), now)

    def answer(self, cookie: bytes, now: float) -> None:
        """Answer a probe of the peer."""
        if now - self._replies_since >= 1.0:
            self._replies_since, self._replies = now, 0
        if self._replies >= _REPLIES_PER_SECOND or self.link.is_shut:
            self.probes_ignored += 1
            return
        self._replies += 1
        self.link.append(PROBE_REPLY, self._epoch, cookie, crc32c(cookie))

    def answered(self, cookie: bytes, now: float) -> None:
        """Take an answer of the peer."""
        sent = self._sent.pop(cookie, None)
        if sent is None:
            self._pong(cookie, now)
            return
        time, size = sent
        self._measure(now - time, now)
        self.path_mtu.answered(size)
        self._last_answer = now
        if self.link.state != UP:
            self._prove(size, now)

    def ping(self, size: int, now: float, tell: Callable[[float], None]) -> None:
        """Send a probe that somebody has asked for, in a frame of `size` bytes; `tell` is given the round trip.

        It says nothing about the link's state: that goes by the monitor's own probes alone.
        """
        if len(self._pings) >= _PENDING:
            del self._pings[next(iter(self._pings))]
        cookie = self._cookie()
        self._pings[cookie] = now, tell
        payload = cookie.ljust(min(size, self.link.room) - SIZE, b"\0")
        self.link.append(PROBE, self._epoch, payload, crc32c(payload))

    def _pong(self, cookie: bytes, now: float) -> None:
        asked = self._pings.pop(cookie, None)
        if asked is None:
            self.stray_replies += 1
        else:
            since, tell = asked
            tell(now - since)

    def _cookie(self) -> bytes:
        """Give what a probe asks by; nobody can guess it."""
        self._number += 1
        return blake2b(self._number.to_bytes(8, "big"), digest_size=COOKIE_SIZE, key=self._secret).digest()

    def _beat(self, now: float) -> None:
        self.is_idle = now - self._busy_at > _IDLE_AFTER
        if self.is_idle:
            self._pace = max(self._interval, _IDLE_INTERVAL)
            if self.link.state == SILENT:
                self._pace = max(self._pace, min((now - self._last_answer) / 4, _RARELY))
        self.next_time = now + (self._pace / _HASTE if self.link.state == SUSPECT else self._pace)
        if self.link.open:
            for size in self.path_mtu.sizes(now, self.round_trip):
                self._ask(size, now)
        if self.is_idle:
            self.next_time = int(self.next_time * _BEATS) / _BEATS

    def _ask(self, size: int, now: float) -> None:
        cookie = self._cookie()
        while self._sent:
            early = next(iter(self._sent))
            if len(self._sent) < _PENDING and now - self._sent[early][0] <= _PENDING * self._interval:
                break
            del self._sent[early]
        self._sent[cookie] = now, size
        self._asked = now
        self.next_time -= (self.next_time - now) * _JITTER * cookie[0] / 256
        payload = cookie.ljust(size - SIZE, b"\0")
        self.link.append(PROBE, self._epoch, payload, crc32c(payload))

    def _measure(self, rtt: float, now: float) -> None:
        if self.rtt is None:
            self.rtt, self.rtt_deviation = rtt, rtt / 2
        else:
            self.rtt_deviation += (abs(rtt - self.rtt) - self.rtt_deviation) / 4
            self.rtt += (rtt - self.rtt) / 8
        if now - self._base_since >= _BASE_PERIOD:
            self._bases, self._base_since = [float("inf"), self._bases[0]], now
        self._bases[0] = min(self._bases[0], rtt)
        self.link.rtt, self.link.base_rtt = self.rtt, min(self._bases)

    def _prove(self, size: int, now: float) -> None:
        """Take an answer on a link that is not up."""
        if self.link.state in (SILENT, NEW):
            self._return(now)
        self._happen(ANSWERED, now)
        if self.link.state == WARY and size <= SMALLEST:
            self._proofs += 1
            if self._proofs >= self._needed and now >= self._wary_until:
                self._needed = _PROOFS
                self._happen(PROVEN, now)

    def _return(self, now: float) -> None:
        """Say what a link has to show that has not answered before: nothing more, if that is its first time."""
        self._proofs, self.damping = 0, 0.0
        if self._needed > 1:
            self._returns.append(now)
            count = self._count(now)
            self.damping = min(_DAMPING * 2.0 ** (count - 2), _MAX_DAMPING) if count > 1 else 0.0
        self._wary_until = now + self.damping

    def _count(self, now: float) -> int:
        while self._returns and now - self._returns[0] > _FLAPS:
            self._returns.popleft()
        return len(self._returns)

    def _judge(self, now: float) -> None:
        """See what missing answers mean."""
        if self.link.state == SILENT:
            return
        if now >= self._last_answer + self._patience:
            self._happen(LOST, now)
        elif now >= self._last_answer + self._overdue:
            self._proofs, self._wary_until = 0, now + self.damping
            self._happen(MISSED, now)

    def _happen(self, event: str, now: float) -> None:
        link, before = self.link, self.link.state
        state = after(before, event)
        if self.wants == STANDBY:
            state = after(state, REST)
        if state == NEW and not link.open:
            state = DOWN
        if state == before and event not in (BLOCK, CAP, REST, CLOSED):
            return
        link.become(state, self._words(state, now))
        if state != before:
            self._turn(state, now)

    def _turn(self, state: str, now: float) -> None:
        """Begin a state."""
        if state == NEW:
            self._last_answer = now
        if state in (SILENT, DOWN):
            self.path_mtu.interrupt()
        if state in (NEW, SUSPECT):
            self.next_time = now
        self.busy(now)

    def _words(self, state: str, now: float) -> str:
        """Say why a link is in a state."""
        if state in HOLDS:
            return self.holds.get(state, "")
        if state == WARY:
            return self._wary_words(now)
        words = {
            NEW: "the peer has not answered yet",
            SUSPECT: "an answer of the peer is overdue",
            SILENT: "the peer does not answer",
            DOWN: self.link.trouble,
        }
        return words.get(state, "")

    def _wary_words(self, now: float) -> str:
        count = self._count(now)
        if count < 2:
            return f"came back: {self._needed} answers in a row are awaited"
        return f"came back {count} times in {_FLAPS:g} s: it must answer for {self.damping:g} s first"

    @property
    def _patience(self) -> float:
        """Seconds without an answer after which the link is silent.

        What was on its way still arrives half a round trip after a cut, so that much earlier its time is over.
        """
        trips = _MISSES * (self.rtt or 0.0) - self.link.base_rtt / 2
        if self.rtt is None:
            return max(_MISSES * self._pace, _FIRST_PATIENCE)
        return max(_MISSES * self._pace - self.link.base_rtt / 2, trips)

    @property
    def _overdue(self) -> float:
        """Seconds without an answer after which the link is suspect."""
        return _OVERDUE * self._pace + 2 * self.rtt_deviation

    @property
    def round_trip(self) -> float:
        """Seconds within which an answer comes if it comes."""
        return (self.rtt or 0.0) + 4 * self.rtt_deviation
