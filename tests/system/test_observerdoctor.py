"""What `alagg check` says of history and alerts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from alagg.config import load
from alagg.history import opening
from alagg.system.observerdoctor import examine

if TYPE_CHECKING:
    from pathlib import Path


def told(directory: Path, *lines: str) -> list[tuple[str, str]]:
    path = directory / "alagg.cfg"
    head = "[peer office]\ndestinations = 10.99.0.2\n[link a]\ninterface = eth0\nmac = 52:54:00:12:34:56"
    path.write_text("\n".join((head, *lines, "")), encoding="utf-8")
    return [(level, what) for level, what, _ in examine(load(path))]


def history(directory: Path, file: Path, *more: str) -> tuple[str, str]:
    (found,) = told(directory, "[history]", "keep = yes", f"file = {file}", *more)
    return found


def test_what_is_not_wanted_is_not_looked_at(tmp_path: Path) -> None:
    assert told(tmp_path, "[history]", "file = /proc/none.db", "[alerts]", "smtp_password_file = /none") == []


def test_history_that_can_be_kept(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    assert history(tmp_path, file) == ("ok", f"history: {file}")
    assert history(tmp_path, tmp_path / "new" / "history.db")[0] == "ok"
    opening.for_writing(file, 10**6).close()
    assert history(tmp_path, file) == ("ok", f"history: {file}")
    file.write_bytes(b"broken")
    assert history(tmp_path, file)[0] == "ok"


def test_history_that_cannot_be_kept(tmp_path: Path) -> None:
    file = tmp_path / "history.db"
    assert f"{file} may have 100000 MB, and the disk has room for" in history(tmp_path, file, "size = 100GB")[1]
    with closing(sqlite3.connect(file)) as other:
        other.execute("CREATE TABLE mail (text)")
    assert history(tmp_path, file) == ("warn", f"history: {file} is the database of another program")
    (tmp_path / "directory.db").mkdir()
    assert history(tmp_path, tmp_path / "directory.db")[1].endswith("directory.db is no file")
    assert history(tmp_path, file / "below.db") == ("warn", f"history: {file}/below.db cannot be written")


def test_alerts_that_can_be_sent(tmp_path: Path) -> None:
    assert told(tmp_path, "[alerts]", "log = yes", "command = /bin/true") == [
        ("ok", "alerts: log, command; alagg alert test tries it")
    ]


@pytest.mark.parametrize(("mode", "said"), [(0o600, None), (0o640, "others may read it (mode 0640)")])
def test_password_that_others_may_read(mode: int, said: str | None, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch()
    secret.chmod(mode)
    (found,) = told(tmp_path, "[alerts]", "email = a@b", "smtp = mail:25", f"smtp_password_file = {secret}")
    assert found[1] == (f"alerts: smtp_password_file = {secret}: {said}" if said else
                        "alerts: email; alagg alert test tries it")  # fmt: skip


def test_alerts_that_cannot_be_sent(tmp_path: Path) -> None:
    mail = ("email = a@b", "smtp = mail:25", f"smtp_password_file = {tmp_path}/none")
    assert told(tmp_path, "[alerts]", *mail, f"command = {tmp_path}/none -x") == [
        ("warn", f"alerts: command = {tmp_path}/none: there is no such program"),
        ("warn", f"alerts: smtp_password_file = {tmp_path}/none: cannot be read: No such file or directory"),
    ]
