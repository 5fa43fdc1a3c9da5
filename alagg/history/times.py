"""Times: reads when somebody means, in the words in which people say it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

ALLOWED: Final = "yesterday, today, a time ago such as 30min, 2h or 3d, or a date or time such as 2026-11-26 22:00"
_UNITS: Final = {"s": "seconds", "min": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO: Final = re.compile(r"(\d{1,6})\s*(s|min|h|d|w)(?:\s+ago)?", re.ASCII)
_CLOCK: Final = re.compile(r"(\d{1,2}):(\d{2})(?::(\d{2}))?", re.ASCII)


def moment(text: str, now: datetime) -> datetime:
    """Give the moment that a text means, in the zone of `now`.

    A time of the day is the last one that was: at three in the morning, `22:00` is yesterday's.

    Raises:
        ValueError: it means none; the text says what is allowed.
    """
    text = " ".join(text.split()).lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text in ("now", "today", "yesterday"):
        return {"now": now, "today": midnight, "yesterday": midnight - timedelta(days=1)}[text]
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if clock := _CLOCK.fullmatch(text):
            found = midnight.replace(hour=int(clock[1]), minute=int(clock[2]), second=int(clock[3] or 0))
            return found if found <= now else found - timedelta(days=1)
        given = datetime.fromisoformat(text.upper())
    except (ValueError, OverflowError):
        raise ValueError(f"allowed: {ALLOWED}") from None
    return given if given.tzinfo else given.replace(tzinfo=now.tzinfo)
