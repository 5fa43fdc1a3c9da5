"""A link as the core sees it: what is unacknowledged on it, what it delivers, and whether it may carry."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg.stream.core.errors import ProtocolError
from alagg.stream.core.estimate import MIN_SEGMENT, Estimate
from alagg.stream.core.frames import OVERHEAD, Decoder

if TYPE_CHECKING:
    from alagg.stream.core.outgoing import Segment

NEW: Final = "new"
"""State: joined, and its first ping is on the way."""
UP: Final = "up"
"""State: carries."""
SUSPECT: Final = "suspect"
"""State: late; what it carries is sent again elsewhere, and a ping must come back first."""
SILENT: Final = "silent"
"""State: suspect, and nothing has come from it for a second."""
WARY: Final = "wary"
"""State: answers again, but failed often; a test follows after a while."""
BLOCKED: Final = "blocked"
"""State: carries nothing, since one of the two sides wants it so."""
DOWN: Final = "down"
"""State: over."""

FORGIVEN: Final = 60.0
"""Seconds after which an earlier failure no longer counts."""
LONGEST_HOLD: Final = 30.0
"""Seconds that a link which failed again and again stays wary, at the most."""
TRIAL: Final = 1.0
"""Seconds between the trials of a link that is left out because it is slow."""


class Sent(NamedTuple):
    """A segment that waits for this link's acknowledgement."""

    segment: Segment
    size: int
    at: float
    due: float
    delivered: int
    delivered_at: float
    first_at: float
    limited: bool


@dataclass
class Statistics:
    """What a link has done; bytes and seconds."""

    sent: int = 0
    received: int = 0
    unacknowledged: int = 0
    failures: int = 0
    round_trip: float = 0.0
    rate: float = 0.0


class Link:
    """One link of a connection."""

    def __init__(self, name: str, now: float) -> None:
        """Begin as new, with nothing known."""
        self.name = name
        self.state = NEW
        self.reason = "waits for its first answer"
        self.estimate = Estimate()
        self.decoder = Decoder()
        self.writable = True
        """Whether its carrier takes bytes; whoever does the I/O keeps this up to date."""
        self.burst = MIN_SEGMENT
        """Bytes that it may get before the others have their turn."""
        self.ring: deque[Sent] = deque()
        self.unacknowledged = 0
        """Bytes of the ring, their headers included."""
        self.control: list[bytes] = []
        """Frames of control that wait; few, since each kind waits at most once."""
        self.held_here = False
        self.held_there = False
        self.ack_due = False
        self.pong: int | None = None
        """The token of the peer's newest ping, which is to be answered."""
        self.ping_token: int | None = None
        """The token of our ping that is out."""
        self.ping_at = 0.0
        self.heard_at = now
        self.progress_at = now
        self.suspect_at = 0.0
        self.recovered_at = 0.0
        self.test_at = 0.0
        """When a wary link is tested."""
        self.check_at = 0.0
        """When it is looked at again, after what was overdue on it was sent again."""
        self.trial_at = 0.0
        self.statistics_sent = 0
        self.statistics_received = 0
        self.failures = 0
        self._strikes: deque[float] = deque(maxlen=8)
        self._acked = 0
        self.arrived = 0
        """DATA and FIN frames that came on it."""
        self._limited_until = 0
        self._first_at = now

    @property
    def statistics(self) -> Statistics:
        """Give what it has done so far."""
        return Statistics(
            self.statistics_sent, self.statistics_received, self.unacknowledged, self.failures,
            self.estimate.round_trip, self.estimate.rate,
        )  # fmt: skip

    def has_room(self) -> bool:
        """Tell whether it may carry one more segment now."""
        return self.writable and self.burst > 0 and (not self.ring or self.unacknowledged < self.estimate.limit)

    def carry(self, segment: Segment, now: float, patience: float) -> None:
        """Take note that it carries a segment from now on."""
        estimate = self.estimate
        size = len(segment.data) + OVERHEAD
        if not self.ring:
            self._first_at = estimate.delivered_at = now
        due = now + estimate.due(self.unacknowledged + size, patience)
        limited = self._limited_until > estimate.delivered
        self.ring.append(
            Sent(segment, size, now, due, estimate.delivered, estimate.delivered_at, self._first_at, limited)
        )
        self.unacknowledged += size
        self.burst -= size
        segment.carrier = self

    def was_limited(self) -> None:
        """Take note that there was nothing to send: what it delivers says less about its rate, unless it is full."""
        if self.unacknowledged < self.estimate.rate * self.estimate.round_trip:
            self._limited_until = self.estimate.delivered + self.unacknowledged + 1

    def acknowledge(self, count: int, now: float) -> None:
        """Take how many frames the peer has got from this link in all.

        Raises:
            ProtocolError: `ack-count`, where it is more than were sent, or less than before.
        """
        fresh = count - self._acked
        if not 0 <= fresh <= len(self.ring):
            raise ProtocolError("ack-count", f"{fresh} frames acknowledged on a link that owes {len(self.ring)}")
        self._acked = count
        if not fresh:
            return
        estimate = self.estimate
        first_sent, before = self.ring[0].at, self.unacknowledged
        for _ in range(fresh):
            sent = self.ring.popleft()
            sent.segment.acknowledge()
            self.unacknowledged -= sent.size
        size = before - self.unacknowledged
        estimate.delivered += size
        self.progress_at = now
        self._first_at = sent.at
        estimate.delivered_at = now
        if sent.at >= self.recovered_at and self.state in (NEW, UP):
            self._measure(sent, now)
            if estimate.begins:
                estimate.train.acknowledged(size, first_sent, sent.at, now, estimate.rate)
                estimate.renew()

    def _measure(self, sent: Sent, now: float) -> None:
        estimate = self.estimate
        estimate.trip(now - sent.at, now)
        interval = max(now - sent.delivered_at, sent.at - sent.first_at)
        # Shorter than a round trip means that acknowledgements came in a heap: too much would be read out of it.
        interval = max(interval, estimate.round_trip)
        estimate.sample((estimate.delivered - sent.delivered) / interval, now, limited=sent.limited)

    def suspect(self, now: float, reason: str) -> None:
        """Stop trusting it until a ping has come back."""
        self.state, self.reason = SUSPECT, reason
        self.suspect_at = now
        self.failures += 1
        while self._strikes and now - self._strikes[0] > FORGIVEN:
            self._strikes.popleft()
        self._strikes.append(now)

    def answered(self, now: float) -> None:
        """Take note that our ping came back, and thus all that was sent before it has arrived."""
        if self.state in (SUSPECT, SILENT) and len(self._strikes) > 2:
            self.state, self.reason = WARY, "failed again and again; is tested after a while"
            self.test_at = now + min(0.5 * 2 ** (len(self._strikes) - 3), LONGEST_HOLD)
        elif self.state != DOWN:
            self.recovered_at = now
            self.settle()

    def settle(self) -> None:
        """Be up, or blocked, where one of the sides wants it so."""
        if self.held_here or self.held_there:
            self.state = BLOCKED
            self.reason = "blocked here" if self.held_here else "blocked by the peer"
        else:
            self.state, self.reason = UP, ""
