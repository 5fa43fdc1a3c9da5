"""Cap: how much a link may carry in a day, a week or a month, and when that time begins anew."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final, NamedTuple

from alagg.values import RefusedError

PERIODS: Final = ("day", "week", "month")
"""What a cap may be counted over: each begins at midnight by this host's clock and time zone, a week on Monday."""
_UNITS: Final = {"kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_CAP: Final = re.compile(
    rf"(\d{{1,15}}(?:\.\d{{1,12}})?)\s*(kB|MB|GB|TB)\s*/\s*({'|'.join(PERIODS)})", re.ASCII | re.IGNORECASE
)
_LEAST: Final = 10**5
_MOST: Final = 10**15


class Cap(NamedTuple):
    """What a link may carry, both ways together."""

    size: int
    """Bytes."""
    period: str
    """One of `PERIODS`."""

    def __str__(self) -> str:
        """Write it as in the configuration."""
        return f"{amount(self.size)}/{self.period}"


def parse(text: str) -> Cap | None:
    """Read a cap; None for none."""
    if not text:
        return None
    match = _CAP.fullmatch(text)
    size = round(float(match[1]) * _UNITS[match[2].lower()]) if match else 0
    if not match or not _LEAST <= size <= _MOST:
        raise RefusedError(
            "empty for none, or bytes with their unit (kB, MB, GB, TB; 100kB to 1000TB) and a period "
            "(/day, /week, /month), such as 5GB/month"
        )
    return Cap(size, match[3].lower())


def amount(size: int) -> str:
    """Write a number of bytes for people, and exactly where that takes few digits."""
    unit = next((unit for unit in reversed(_UNITS) if size >= _UNITS[unit]), "")
    if not unit:
        return f"{size} bytes"
    return f"{size / _UNITS[unit]:.4g}{'kB' if unit == 'kb' else unit.upper()}"


def period_of(period: str, day: dt.date) -> tuple[dt.date, dt.date]:
    """Give the first day of the period that a day lies in, and the first of the one after."""
    if period == "day":
        return day, day + dt.timedelta(days=1)
    if period == "week":
        first = day - dt.timedelta(days=day.weekday())
        return first, first + dt.timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + dt.timedelta(days=32)).replace(day=1)
