"""What can be set for a stream connection, each with its unit and effect."""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Settings:
    """Limits of one connection; each side has its own."""

    receive_limit: int = 256 * MEGABYTE
    """Bytes that may wait here, unread or out of order. What is really granted begins at 1 MB and follows four times
    what the program can read in a round trip, and 64 times what it did read."""
    send_limit: int = 256 * MEGABYTE
    """Bytes between the oldest unacknowledged one and the newest one sent."""
    idle_ping: float = 5.0
    """Seconds without a byte from the peer after which a link is asked whether it lives."""
    link_timeout: float = 15.0
    """Seconds without a byte from the peer after which a link is given up."""
    no_links_timeout: float = 60.0
    """Seconds that a connection outlives its last link."""
    linger: float = 10.0
    """Seconds that a closed connection waits for the peer to end its direction, too."""
    patience: float = 0.1
    """Seconds that a link may be late with an acknowledgement before another one sends again, at the least."""
