"""Caps: bytes, a period, and when that begins."""

from __future__ import annotations

from datetime import date

import pytest

from alagg.cap import Cap, amount, parse, period_of
from alagg.values import RefusedError


@pytest.mark.parametrize(
    ("text", "cap"),
    [
        ("5GB/month", Cap(5 * 10**9, "month")),
        ("1.5 tb / Week", Cap(15 * 10**11, "week")),
        ("100kB/day", Cap(10**5, "day")),
        ("250MB/day", Cap(25 * 10**7, "day")),
        ("", None),
    ],
)
def test_caps_are_read(text: str, cap: Cap | None) -> None:
    assert parse(text) == cap
    assert cap is None or parse(str(cap)) == cap


@pytest.mark.parametrize(
    "text", ["5", "5GB", "5/month", "GB/month", "-5GB/month", "5GB/year", "5Gbit/month", "0GB/day", "99kB/day",
             "1001TB/day", "5GB/month/day", "5e3GB/month", "\u0665GB/month"],
)  # fmt: skip
def test_what_is_no_cap_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(RefusedError, match=r"such as 5GB/month$"):
        parse(text)


@pytest.mark.parametrize(
    ("size", "words"), [(999, "999 bytes"), (10**5, "100kB"), (4_237_000_000, "4.237GB"), (10**12, "1TB")]
)
def test_amounts_are_short(size: int, words: str) -> None:
    assert amount(size) == words


@pytest.mark.parametrize(
    ("period", "day", "first", "following"),
    [
        ("day", "2026-12-31", "2026-12-31", "2027-01-01"),
        ("week", "2026-11-27", "2026-11-23", "2026-11-30"),
        ("week", "2026-11-23", "2026-11-23", "2026-11-30"),
        ("month", "2026-12-31", "2026-12-01", "2027-01-01"),
        ("month", "2028-02-29", "2028-02-01", "2028-03-01"),
    ],
)
def test_periods_follow_each_other(period: str, day: str, first: str, following: str) -> None:
    found = period_of(period, date.fromisoformat(day))
    assert found == (date.fromisoformat(first), date.fromisoformat(following))
