"""Accounts: what is counted survives clocks that jump, and files that somebody else wrote are no accounts."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.account import PERIODS, Accounts
from alagg.cap import Cap

KEY = ("office", "wan")
CAP = Cap(10**9, "month")


class Clock:
    """Accounts of one link, and the day that its host believes it is."""

    def __init__(self) -> None:
        self.accounts = Accounts()

    def carry(self, day: str, size: int) -> int:
        account = self.accounts.of(KEY, CAP, date.fromisoformat(day))
        account.add(size)
        return account.carried


def test_each_period_is_counted_for_itself() -> None:
    clock = Clock()
    assert [clock.carry("2026-11-27", 5), clock.carry("2026-11-30", 6), clock.carry("2026-12-01", 7)] == [5, 11, 7]


def test_clock_that_jumps_forward_and_returns_has_forgotten_nothing() -> None:
    clock = Clock()
    assert [clock.carry("2026-11-27", 5), clock.carry("2031-01-01", 6), clock.carry("2026-11-28", 7)] == [5, 6, 18]


def test_clock_that_jumps_back_makes_nothing_free() -> None:
    clock = Clock()
    assert [clock.carry("2026-11-27", 5), clock.carry("1970-01-01", 6), clock.carry("2026-11-27", 7)] == [5, 11, 18]


def test_period_after_a_wrong_clock_begins_at_zero() -> None:
    clock = Clock()
    assert [clock.carry("2026-11-27", 5), clock.carry("2031-01-01", 6), clock.carry("2026-11-28", 7)] == [5, 6, 18]
    assert clock.carry("2026-12-01", 8) == 8


def test_another_kind_of_period_begins_anew() -> None:
    clock = Clock()
    clock.carry("2026-11-27", 5)
    assert clock.accounts.of(KEY, Cap(10**9, "day"), date(2026, 11, 27)).carried == 0


@given(st.lists(st.tuples(st.integers(-40_000, 40_000), st.integers(0, 1 << 40)), max_size=40))
def test_no_clock_makes_it_count_less_than_since_it_jumped_last(steps: list[tuple[int, int]]) -> None:
    clock = Clock()
    before, since = "", 0
    for days, size in steps:
        day = (date(2026, 11, 27) + timedelta(days)).isoformat()
        since = since + size if day[:7] == before else size
        before = day[:7]
        assert clock.carry(day, size) >= since
        assert len(clock.accounts.of(KEY, CAP, date.fromisoformat(day)).used) <= PERIODS
    again = Accounts()
    again.read(clock.accounts.text([KEY]))
    assert again.text([KEY]) == clock.accounts.text([KEY])


GOOD = {
    "peer": "office", "link": "wan", "unit": "month", "current": "2026-11-01", "used": {"2026-11-01": 5}, "told": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    "links",
    [
        [{**GOOD, "current": "2026-12-01"}],
        [{**GOOD, "current": "soon", "used": {"soon": 5}}],
        [{**GOOD, "used": {"2026-11-01": -1}}],
        [{**GOOD, "used": {"2026-11-01": 1e99}}],
        [{**GOOD, "used": {"2026-11-01": 1 << 70}}],
        [{**GOOD, "used": {f"2026-{month:02}-01": 5 for month in range(1, 13)}}],
        [{**GOOD, "peer": 7}],
        [{**GOOD, "link": "x" * 999}],
        [{}], [7], 7, None,
    ],
)  # fmt: skip
def test_what_is_no_account_is_refused(links: Any) -> None:
    with pytest.raises(ValueError):
        Accounts().read(json.dumps({"version": 1, "links": links}))


@pytest.mark.parametrize("text", ["", "{", "[]", "7", '{"version": 2, "links": []}', "[" * 100_000])
def test_other_files_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Accounts().read(text)
