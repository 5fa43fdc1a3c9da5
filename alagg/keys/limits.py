"""Limits: what may be asked of a node before anything is proved: calls of an address, and cookies without memory."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING, Final

from alagg.keys.pieces import COOKIE

if TYPE_CHECKING:
    from collections.abc import Callable

RATE: Final = 20.0
"""Handshakes that one address may begin in a second, as WireGuard has it."""
BURST: Final = 5.0
"""Handshakes that it may begin at once."""
SOURCES: Final = 4096
"""Addresses that are remembered; the one that began something longest ago is forgotten first."""
COOKIE_LIFE: Final = 60.0
"""Seconds after which cookies are made anew; those of the time before are good still."""


class Limiter:
    """A token bucket for each address."""

    def __init__(self, rate: float = RATE, burst: float = BURST, sources: int = SOURCES) -> None:
        """Take tokens a second, tokens at most, and how many addresses are remembered."""
        self._rate, self._burst, self._sources = rate, burst, sources
        self._buckets: dict[bytes, tuple[float, float]] = {}

    def allows(self, source: bytes, now: float) -> bool:
        """Take a token of an address; tell whether there was one."""
        tokens, since = self._buckets.pop(source, (self._burst, now))
        tokens = min(tokens + (now - since) * self._rate, self._burst)
        allowed = tokens >= 1.0
        if len(self._buckets) >= self._sources:
            del self._buckets[next(iter(self._buckets))]
        self._buckets[source] = tokens - allowed, now
        return allowed


class Cookies:
    """Cookies that are bound to an address and an exchange, and remembered by nobody."""

    def __init__(self, random: Callable[[int], bytes], now: float) -> None:
        """Take a source of random bytes."""
        self._random = random
        self._secret = self._before = random(32)
        self._since = now

    def make(self, source: bytes, exchange: int, now: float) -> bytes:
        """Give the cookie of an address for an exchange."""
        if now - self._since >= COOKIE_LIFE:
            self._before = self._secret if now - self._since < 2 * COOKIE_LIFE else self._random(32)
            self._secret, self._since = self._random(32), now
        return _cookie(self._secret, source, exchange)

    def proves(self, cookie: bytes, source: bytes, exchange: int, now: float) -> bool:
        """Tell whether a cookie was made for an address and an exchange, not long ago."""
        current = self.make(source, exchange, now)
        before = _cookie(self._before, source, exchange)
        return hmac.compare_digest(cookie, current) or hmac.compare_digest(cookie, before)


def _cookie(secret: bytes, source: bytes, exchange: int) -> bytes:
    return hmac.digest(secret, exchange.to_bytes(8, "big") + source, "sha256")[:COOKIE]
