"""Ordered: a stream of bytes in each direction, over pieces that come in any order, twice, or not at all."""

from __future__ import annotations

from typing import Final

LIMIT: Final = 1 << 15
"""Bytes of one direction of a handshake at most; chains of certificates take a tenth of that."""
WAITING: Final = 64
"""Pieces that may wait for earlier ones."""
FIRST: Final = 0.3
"""Seconds after which what is not acknowledged is sent again the first time."""
LONGEST: Final = 3.0
"""Seconds between two attempts at most."""


class Outgoing:
    """What is sent, until the other side has it."""

    def __init__(self) -> None:
        """Start empty."""
        self.taken = 0
        """Bytes that the other side has."""
        self.due = float("inf")
        """When something is to be sent, or sent again."""
        self._bytes = bytearray()
        self._sent = 0
        self._pause = FIRST

    @property
    def done(self) -> bool:
        """Whether the other side has everything."""
        return self.taken == len(self._bytes)

    def add(self, data: bytes, now: float) -> None:
        """Send further bytes."""
        if data:
            self._bytes += data
            self.due = now

    def acknowledge(self, came: int, now: float) -> bool:
        """Take how many bytes the other side has; tell whether these are more than before."""
        progress = self.taken < came <= len(self._bytes)
        if progress:
            self.taken = came
            self._sent = max(self._sent, came)
            self._pause = FIRST
            self.due = now if self._sent < len(self._bytes) else now + FIRST
        if self.done:
            self.due = float("inf")
        return progress

    def go_on(self, now: float) -> None:
        """Send at once what has not been sent."""
        if not self.done:
            self.due = now

    def stop(self) -> None:
        """Send nothing more."""
        self.due = float("inf")

    def again(self, now: float) -> None:
        """Send everything again that the other side does not have."""
        self._sent, self._pause, self.due = self.taken, FIRST, now

    def cut(self, size: int, now: float, budget: int) -> list[tuple[int, bytes]]:
        """Give what is to be sent now, in pieces of `size` bytes, each of which takes one from the budget."""
        if now < self.due:
            return []
        if self._sent == len(self._bytes):  # its time is over: what was lost is sent again
            self._sent, self._pause = self.taken, min(2 * self._pause, LONGEST)
        parts: list[tuple[int, bytes]] = []
        while self._sent < len(self._bytes) and len(parts) < budget:
            data = bytes(self._bytes[self._sent : self._sent + size])
            parts.append((self._sent, data))
            self._sent += len(data)
        self.due = now + self._pause
        return parts


class Incoming:
    """What comes, put in its order."""

    def __init__(self) -> None:
        """Start empty."""
        self.came = 0
        """Bytes that have come without a gap."""
        self._waiting: dict[int, bytes] = {}

    def take(self, offset: int, data: bytes) -> bytes:
        """Take a piece; give the bytes that follow those that were given before, as far as they are there."""
        if not data or offset + len(data) > LIMIT:
            return b""
        known = self._waiting.get(offset, b"")
        if len(data) > len(known) and (known or len(self._waiting) < WAITING or offset <= self.came):
            self._waiting[offset] = data
        ready = bytearray()
        while (found := self._next()) is not None:
            ready += found
        return bytes(ready)

    def _next(self) -> bytes | None:
        for offset in sorted(self._waiting):
            if offset > self.came:
                return None
            data = self._waiting.pop(offset)[self.came - offset :]
            if data:
                self.came += len(data)
                return data
        return None
