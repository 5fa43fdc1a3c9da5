"""How fast a link's acknowledgements follow one another: its rate, known within the first round trips.

What goes out in one go comes back spread by the slowest part of the way (Jain and Dovrolis, "Packet dispersion
techniques and a capacity estimation methodology"), so the spacing shows the rate long before enough was sent to fill
the way. It is only used while a link begins: what else crosses the way, or acknowledgements in heaps, make it
less true than what is really delivered in a round trip.
"""

from __future__ import annotations

from typing import Final

EVENTS: Final = 8
"""Times at which acknowledgements came, from which on their spacing is believed."""
LEAST: Final = 0.01
"""Seconds that they must be spread over; less may come from how programs are woken."""
GAP: Final = 0.02
"""Seconds between two segments from which on they are not of one train."""
DOUBTFUL: Final = 16.0 / 3
"""Times the rate delivered in a round trip that a train is believed which is too short to be measured."""


class Train:
    """The newest segments that went out in one go and are being acknowledged."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.rate = 0.0
        """Bytes per second; 0 means unknown."""
        self.measured = False
        """Whether a train was long enough."""
        self._first_at = 0.0
        self._last_at = 0.0
        self._first_sent = 0.0
        self._last_sent = float("-inf")
        self._head = 0
        self._size = 0
        self._events = 0

    def acknowledged(self, size: int, first_sent: float, last_sent: float, now: float, delivered: float) -> None:
        """Take what was acknowledged at one time.

        Args:
            size: bytes.
            first_sent: when the first byte of them was sent, seconds.
            last_sent: when the last one was.
            now: seconds.
            delivered: what is delivered in a round trip, bytes per second; 0: unknown.
        """
        if first_sent >= self._last_sent + GAP or first_sent >= self._first_at:
            self._first_at, self._first_sent, self._head, self._size, self._events = now, first_sent, size, 0, 1
        else:
            self._size += size
            self._events += now > self._last_at
        self._last_sent, self._last_at = last_sent, now
        spread = max(now - self._first_at, last_sent - self._first_sent)
        if self._events >= EVENTS and spread >= LEAST:
            self.rate, self.measured = self._size / spread, True
        elif delivered and not self.measured:
            self.rate = max(self.rate, min((self._head + self._size) / max(spread, LEAST), DOUBTFUL * delivered))
