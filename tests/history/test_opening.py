"""Getting at the file: made where there is none, set aside where it is broken; somebody else's is left alone."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from alagg.history import opening
from alagg.history.tables import APPLICATION, VERSION
from tests.history.helpers import MB, rows

if TYPE_CHECKING:
    from pathlib import Path

SIZE: Final = 4 * MB


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


def made(path: Path) -> None:
    opening.for_writing(path, SIZE).close()


def broken(path: Path) -> Path:
    return path.with_name("history.db.broken")


def test_new_file_and_its_directory_are_made(tmp_path: Path) -> None:
    path = tmp_path / "var" / "history.db"
    made(path)
    assert rows(path, "PRAGMA journal_mode") == [("wal",)]
    assert rows(path, "PRAGMA user_version") == [(VERSION,)]
    assert rows(path, "PRAGMA application_id") == [(APPLICATION,)]
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(path.parent.iterdir()) == [path]


def test_empty_file_is_begun(path: Path) -> None:
    path.touch()
    made(path)
    assert rows(path, "SELECT COUNT(*) FROM second") == [(0,)]


@pytest.mark.parametrize("content", [b"not a database at all", b"\xa5" * 20_000])
def test_file_that_is_no_database_is_set_aside(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    path.write_bytes(content)
    made(path)
    assert broken(path).read_bytes() == content
    assert rows(path, "SELECT COUNT(*) FROM second") == [(0,)]
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: file is not a database; it is kept as history.db.broken, and begun anew"
    ]


def test_damaged_pages_are_found(path: Path) -> None:
    with closing(opening.for_writing(path, SIZE)) as database:
        database.execute("BEGIN")
        database.executemany("INSERT INTO event (text) VALUES (?)", [("x" * 50,)] * 5000)
        database.execute("COMMIT")
    with path.open("r+b") as file:
        file.seek(20 * opening.PAGE)
        file.write(b"\xa5" * 4 * opening.PAGE)
    made(path)
    assert broken(path).exists()
    assert rows(path, "SELECT COUNT(*) FROM event") == [(0,)]


def test_only_the_last_broken_file_is_kept(path: Path, tmp_path: Path) -> None:
    for content in (b"first broken one", b"second broken one"):
        path.write_bytes(content)
        made(path)
    assert broken(path).read_bytes() == b"second broken one"
    assert sorted(tmp_path.iterdir()) == [path, broken(path)]


def test_file_of_another_version_is_set_aside(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made(path)
    rows(path, "PRAGMA user_version = 99")
    made(path)
    assert broken(path).exists()
    assert "is of version 99, and this alagg writes version" in caplog.text


def test_database_of_another_program_is_left_alone(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE mail (text)")
    with pytest.raises(sqlite3.OperationalError, match="another program"):
        made(path)
    assert rows(path, "SELECT name FROM sqlite_master") == [("mail",)]


def test_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"Not a directory|File exists"):
        made(tmp_path / "file" / "history.db")
    with pytest.raises(OSError, match="Is a directory"):
        made(tmp_path)


def test_reader_needs_a_file(path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError), closing(opening.for_reading(path)) as database:
        database.execute("SELECT 1 FROM event").fetchall()


def test_reader_cannot_write(path: Path) -> None:
    made(path)
    with closing(opening.for_reading(path)) as database, pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.execute("DELETE FROM event")


def test_reader_without_rights_reads_what_nobody_has_open(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(path)
    monkeypatch.setattr("os.access", lambda *_: False)
    with closing(opening.for_reading(path)) as database:
        assert database.execute("SELECT COUNT(*) FROM event").fetchall() == [(0,)]


@pytest.mark.parametrize("size", [MB, 100 * MB])
def test_pages_leave_room_for_the_write_ahead_log(size: int) -> None:
    assert 0.7 * size < opening.pages(size) * opening.PAGE < size
