"""The writer: what it adds, folds and throws away; what a full disk, a wrong clock and a flood of events do to it."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from alagg.history import opening, writer
from alagg.history.tables import DAY, TIERS
from alagg.history.writer import Writer
from tests.history.helpers import MB, T0, changed, event, rows, sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAN: Final = ("office", "wan")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def kept(path: Path) -> Iterator[Writer]:
    with closing(Writer(path, 4 * MB)) as kept:
        yield kept


def fill(kept: Writer, since: int, until: int, steady: float = 0.0) -> None:
    for second in range(since, until):
        kept.write(second, {WAN: sample()}, steady=steady)


def test_second_is_a_row(kept: Writer, path: Path) -> None:
    kept.write(T0 + 0.7, {WAN: sample(), ("office", ""): {"covered": 1000, "sent": 7}})
    assert rows(path, "SELECT time, peer, link, state, rtt, tx, sent FROM second JOIN subject ON id = subject") == [
        (T0, "office", "wan", 0, 1500, 125, None),
        (T0, "office", "", None, None, None, 7),
    ]


def test_two_looks_in_a_second_are_added_up(kept: Writer, path: Path) -> None:
    kept.write(T0 + 0.1, {WAN: sample(rtt=1000, covered=700, loss=None)})
    kept.write(T0 + 0.9, {WAN: sample("down", rtt=None, covered=300, loss=5)})
    found = rows(path, "SELECT covered, up, state, rtt, loss, tx FROM second")
    assert found == [(1000, 1000, 8, 1000, 5, 250)]


def test_seconds_become_minutes_and_hours(kept: Writer, path: Path) -> None:
    for second in range(T0, T0 + 3590, 10):
        kept.write(second, {WAN: sample(covered=10_000, up=10_000)})
    kept.write(T0 + 3590, {WAN: sample("down", rtt=None, covered=10_000)})
    kept.write(T0 + 3600, {WAN: sample()})
    assert rows(path, "SELECT COUNT(*), MIN(time), MAX(time) FROM minute") == [(60, T0, T0 + 3540)]
    assert rows(path, "SELECT time, covered, up, state, rtt, tx FROM hour") == [
        (T0, 3_600_000, 3_590_000, 8, 1500, 360 * 125)
    ]


def test_writer_that_begins_anew_goes_on_where_the_last_one_ended(kept: Writer, path: Path) -> None:
    fill(kept, T0, T0 + 90)
    kept.close()
    with closing(Writer(path, 4 * MB)) as again:
        fill(again, T0 + 100, T0 + 130)
    assert rows(path, "SELECT time, covered FROM minute") == [(T0, 60_000), (T0 + 60, 50_000)]


def test_clock_that_went_back_leads_through_the_same_minute_again(kept: Writer, path: Path) -> None:
    fill(kept, T0, T0 + 150)
    fill(kept, T0 + 40, T0 + 70)
    assert rows(path, "SELECT time, covered FROM minute ORDER BY time") == [(T0, 80_000), (T0 + 60, 60_000)]


def test_old_rows_and_those_of_the_future_go_only_by_a_clock_that_is_steady(kept: Writer, path: Path) -> None:
    later = T0 + TIERS[0].keep + 120
    fill(kept, T0, T0 + 2)
    kept.write(T0 + 400 * DAY, {WAN: sample()}, [event(T0 + 400 * DAY, "of the future")])
    fill(kept, later, later + 61)
    assert rows(path, f"SELECT COUNT(*) FROM second WHERE time < {later} OR time > {later + DAY}") == [(3,)]
    fill(kept, later + 61, later + 121, steady=writer.STEADY)
    assert rows(path, f"SELECT COUNT(*) FROM second WHERE time < {later} OR time > {later + DAY}") == [(0,)]
    assert rows(path, "SELECT COUNT(*) FROM event") == [(0,)]


def test_event_is_kept_with_all_that_it_tells(kept: Writer, path: Path) -> None:
    kept.write(T0, {}, [changed(T0 + 0.25, "down", reason="no carrier")])
    assert rows(path, "SELECT time, kind, peer, link, text, rest FROM event") == [(
        T0 + 0.25, "link_state_changed", "office", "wan", "link wan to office is down: no carrier",
        '{"state": "down", "reason": "no carrier"}',
    )]  # fmt: skip


def test_last_state_of_each_link_is_known(kept: Writer) -> None:
    assert kept.states() == {}
    kept.write(T0, {}, [changed(T0, "down"), changed(T0, "silent", "lan"), changed(T0, "up"), event(T0, "reloaded")])
    assert kept.states() == {("office", "wan"): "up", ("office", "lan"): "silent"}


def test_of_a_flood_of_events_the_newest_are_kept_and_the_others_counted(kept: Writer, path: Path) -> None:
    kept.write(T0, {}, [event(T0, f"number {number}") for number in range(10_000)])
    texts = [text for (text,) in rows(path, "SELECT text FROM event ORDER BY id")]
    assert texts[0] == "9900 events are missing here: there were 10000 at once"
    assert texts[1:] == [f"number {number}" for number in range(9900, 10_000)]


def test_number_of_events_is_bounded(kept: Writer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "MAX_EVENTS", 50)
    for second in range(120):
        kept.write(T0 + second, {WAN: sample()}, [event(T0, f"number {second}")])
    assert rows(path, "SELECT MIN(id), MAX(id) FROM event WHERE id <= 61") == [(12, 61)]


def test_file_stays_within_its_size_and_the_newest_rows_in_it(path: Path, tmp_path: Path) -> None:
    """A megabyte takes some twenty seconds of a thousand links; there are forty of them."""
    links = [("office", f"link{number}") for number in range(1000)]
    with closing(Writer(path, MB)) as kept:
        for second in range(T0, T0 + 40):
            kept.write(second, dict.fromkeys(links, sample()))
            assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 1.5 * MB
    ((count, first, last),) = rows(path, "SELECT COUNT(*), MIN(time), MAX(time) FROM second")
    assert last == T0 + 39
    assert first > T0
    assert count >= 5000


def test_full_disk_costs_the_new_rows_only(
    kept: Writer, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fill(kept, T0, T0 + 10)
    kept._database.execute("PRAGMA max_page_count = 1").fetchall()  # it cannot grow any more
    links = {("office", f"link{number}"): sample() for number in range(2000)}
    for second in range(T0 + 10, T0 + 13):
        kept.write(second, links)
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        f"{path}: database or disk is full; rows that are missing in the history: 2000"
    ]
    kept._database.execute(f"PRAGMA max_page_count = {opening.pages(4 * MB)}").fetchall()
    kept.write(T0 + 13, {WAN: sample()})
    assert rows(path, "SELECT COUNT(*), MAX(time) FROM second") == [(11, T0 + 13)]


def test_broken_file_is_an_error(kept: Writer, path: Path) -> None:
    fill(kept, T0, T0 + 200)
    kept._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    with path.open("r+b") as file:
        file.seek(opening.PAGE)
        file.write(b"\xa5" * 40 * opening.PAGE)
    kept._database.execute("PRAGMA shrink_memory").fetchall()
    with pytest.raises(sqlite3.DatabaseError, match="malformed"):
        fill(kept, T0 + 200, T0 + 330)


def test_file_that_was_moved_is_noticed(kept: Writer, path: Path) -> None:
    assert kept.in_place()
    path.rename(path.with_name("elsewhere.db"))
    assert not kept.in_place()
    path.touch()
    assert not kept.in_place()


def test_file_that_is_allowed_less_than_it_had_shrinks(path: Path) -> None:
    with closing(Writer(path, 4 * MB)) as kept:
        kept._database.execute(
            "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) "
            f"INSERT INTO second (time, subject, covered, tx) SELECT {T0} + i / 1000, i, 1000, 1000 FROM n"
        )
    before = path.stat().st_size
    with closing(Writer(path, MB)) as kept:
        for second in range(T0 + 60, T0 + 780, 60):
            kept.write(second, {WAN: sample()})
    assert path.stat().st_size < 0.8 * before
