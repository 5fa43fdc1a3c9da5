"""The keeper: whatever happens to the file or the disk, the next rows are kept as soon as they can be."""

from __future__ import annotations

import grp
import os
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from alagg.history import opening
from alagg.history.keeper import RETRY, Keeper
from tests.history.helpers import MB, T0, rows, sample

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAN: Final = ("office", "wan")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "var" / "history.db"


@pytest.fixture
def keeper(path: Path) -> Iterator[Keeper]:
    with closing(Keeper(path, 4 * MB)) as keeper:
        yield keeper


def write(keeper: Keeper, second: float) -> None:
    keeper.write(T0 + second, second, {WAN: sample()})


def seconds(path: Path) -> list[int]:
    return [time - T0 for (time,) in rows(path, "SELECT time FROM second ORDER BY time")]


def test_keeps_what_it_is_given(keeper: Keeper, path: Path) -> None:
    keeper.open(0)
    write(keeper, 0)
    write(keeper, 1)
    keeper.close()
    assert seconds(path) == [0, 1]
    assert [file.name for file in path.parent.iterdir()] == ["history.db"]


def test_place_that_is_not_there_yet_is_tried_again(
    keeper: Keeper, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.touch()  # no directory can be made here
    for second in range(15):
        write(keeper, second)
    path.parent.unlink()
    caplog.set_level("INFO")
    for second in range(15, 25):
        write(keeper, second)
    assert seconds(path) == list(range(20, 25))
    assert [record.getMessage() for record in caplog.records] == [
        f"{path}: no history is kept: File exists; tried again each {RETRY:.0f} s",
        f"{path}: the history is kept again",
    ]


def test_file_that_breaks_is_set_aside_and_begun_anew(
    keeper: Keeper, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for second in range(0, 600, 2):
        write(keeper, second)
    assert keeper._writer is not None
    for what in ("wal_checkpoint(TRUNCATE)", "shrink_memory"):  # all of it is in the file, and nowhere else
        keeper._writer._database.execute(f"PRAGMA {what}").fetchall()
    with path.open("r+b") as file:
        file.seek(opening.PAGE)
        file.write(b"\xa5" * 20 * opening.PAGE)
    for second in range(600, 630):
        write(keeper, second)
    assert caplog.text.count("it is kept as history.db.broken, and begun anew") == 1
    assert path.with_name("history.db.broken").exists()
    assert seconds(path)[-1] == 629
    assert seconds(path)[0] >= 600


@pytest.mark.parametrize("end", ["", "-wal", "-shm"])
def test_file_that_somebody_deletes_is_made_anew(keeper: Keeper, path: Path, end: str) -> None:
    write(keeper, 0)
    path.with_name(f"history.db{end}").unlink()
    write(keeper, 1)
    write(keeper, 2)
    if not end:
        assert seconds(path) == [1, 2]
    keeper.close()
    write(keeper, 3)
    assert seconds(path)[-1] == 3


def test_group_may_read_it(path: Path) -> None:
    group = grp.getgrgid(os.getgid()).gr_name
    with closing(Keeper(path, 4 * MB, group)) as keeper:
        keeper.open(0)
        assert path.stat().st_mode & 0o777 == 0o640
        assert path.stat().st_gid == os.getgid()


def test_group_that_does_not_exist_is_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with closing(Keeper(path, 4 * MB, "no-such-group")) as keeper:
        write(keeper, 0)
    assert "the group no-such-group cannot read it" in caplog.text
    assert seconds(path) == [0]
