"""When somebody means: each way to say it, and one line for what means nothing."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Final

import pytest

from alagg.history.times import moment

NOW: Final = datetime(2026, 11, 27, 3, 30, 15, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", "2026-11-27T03:30:15"),
        ("today", "2026-11-27T00:00:00"),
        ("yesterday", "2026-11-26T00:00:00"),
        (" Yesterday ", "2026-11-26T00:00:00"),
        ("30min", "2026-11-27T03:00:15"),
        ("2 h ago", "2026-11-27T01:30:15"),
        ("3d", "2026-11-24T03:30:15"),
        ("1w", "2026-11-20T03:30:15"),
        ("22:00", "2026-11-26T22:00:00"),
        ("3:15", "2026-11-27T03:15:00"),
        ("2026-11-26 22:00", "2026-11-26T22:00:00"),
        ("2026-11-26t22:00:30+02:00", "2026-11-26T20:00:30"),
        ("2026-11-26", "2026-11-26T00:00:00"),
    ],
)
def test_words_mean_a_moment(text: str, meant: str) -> None:
    assert moment(text, NOW).astimezone(timezone.utc).isoformat().removesuffix("+00:00") == meant


@pytest.mark.parametrize("text", ["", "last night", "25:00", "2026-13-01", "999999w", "5m", "-3h", "٣h"])
def test_what_means_nothing_is_told_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match=r"^allowed: yesterday, today"):
        moment(text, NOW)
