"""Upkeep: how often what another program took away is put back, and how often that is told.

A program that removes it again each time must not be fought: after some repairs in a row only one every while is
made, and what is told once is not told again until it has been quiet for a minute.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BURST: Final = 5
"""Repairs of one kind that are made at once."""
PERIOD: Final = 10.0
"""Seconds after which one more is."""
NAMED: Final = 4
"""What is told by name in one line."""
QUIET: Final = 60.0
"""Seconds without a loss after which the next one is told again."""

log = logging.getLogger(__name__)


class Upkeep:
    """Keeps the account of the repairs, each kind for itself."""

    def __init__(self) -> None:
        self.put_back: Counter[str] = Counter()
        """How often something of each kind was put back."""
        self.last: dict[str, tuple[float, tuple[str, ...]]] = {}
        """When something of each kind was put back the last time, and what."""
        self._left: dict[str, tuple[float, float]] = {}
        self._told: dict[str, float] = {}

    def allows(self, kind: str, now: float) -> bool:
        """Say whether a repair may be made now, and count it as made."""
        left, since = self._left.get(kind, (float(BURST), now))
        left = min(left + (now - since) / PERIOD, float(BURST))
        allowed = left >= 1
        self._left[kind] = (left - allowed, now)
        return allowed

    def tell(self, kind: str, lost: Sequence[str], now: float) -> None:
        """Say what was put back, unless it was said just before."""
        self.put_back[kind] += 1
        self.last[kind] = now, tuple(lost[:NAMED])
        more = f" and {len(lost) - NAMED} more" if len(lost) > NAMED else ""
        self.complain(kind, f"put back what another program had taken away: {', '.join(lost[:NAMED])}{more}", now)

    def told(self, now: float) -> list[dict[str, object]]:
        """Give what was put back so far, for a status: what the last time, how often in all, and when."""
        return [
            {"what": list(what), "times": self.put_back[kind], "seconds_ago": round(max(now - since, 0.0), 1)}
            for kind, (since, what) in self.last.items()
        ]

    def complain(self, kind: str, line: str, now: float) -> None:
        """Log a line, unless one of its kind was the last minute's news already."""
        level = logging.DEBUG if now - self._told.get(kind, -QUIET) < QUIET else logging.WARNING
        self._told[kind] = now
        log.log(level, line)
