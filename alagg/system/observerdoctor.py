"""Examines what history and alerts need of a host: a place for the file, programs, secrets that can be read."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING, Final, Literal

from alagg.history import opening
from alagg.history.tables import APPLICATION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alagg.config import Config

Told = tuple[Literal["ok", "warn"], str, str]
"""How bad it is (the node does its work without any of this), what it is, and how to mend it."""

_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def examine(config: Config) -> Iterator[Told]:
    """Look at what the configuration wants; send and change nothing."""
    if config.history.keep:
        yield _history(config.history.file, config.history.size)
    alerts = config.alerts
    if not alerts.wanted:
        return
    problems = [*_command(alerts.command), *(_secret(alerts.smtp_password_file) if alerts.email else ())]
    yield from problems
    if not problems:
        named = {"log": alerts.log, "command": alerts.command, "webhook": alerts.webhook, "email": alerts.email}
        known = ", ".join(name for name, wanted in named.items() if wanted)
        yield "ok", f"alerts: {known}; alagg alert test tries it", ""


def _history(path: Path, size: int) -> Told:
    place = path if path.exists() else next(one for one in path.parents if one.exists())
    if path.exists() and not path.is_file():
        return "warn", f"history: {path} is no file", "correct file = … in [history]"
    if path.exists() and _is_foreign(path):
        return "warn", f"history: {path} is the database of another program", "choose another file = … in [history]"
    if not (path.exists() or place.is_dir()) or not os.access(place, os.W_OK):
        return "warn", f"history: {path} cannot be written", "choose another file = … in [history]"
    used = path.stat().st_size if path.exists() else 0
    free = shutil.disk_usage(place).free
    if free < size - used:
        what = f"history: {path} may have {size // 10**6} MB, and the disk has room for {free // 10**6} MB more"
        return "warn", what, "make room, or allow less with size = … in [history]"
    return "ok", f"history: {path}", ""


def _is_foreign(path: Path) -> bool:
    try:
        with closing(opening.for_reading(path)) as database:
            (owner,) = database.execute("PRAGMA application_id").fetchone()
            tables = database.execute("SELECT name FROM sqlite_master LIMIT 1").fetchall()
    except sqlite3.Error:
        return False  # broken: that is set aside
    return bool(tables) and owner != APPLICATION


def _command(words: tuple[str, ...]) -> Iterator[Told]:
    if words and shutil.which(words[0]) is None:
        yield "warn", f"alerts: command = {words[0]}: there is no such program", "correct it, or make it executable"


def _secret(path: Path | None) -> Iterator[Told]:
    if path is None:
        return
    name = f"alerts: smtp_password_file = {path}"
    try:
        mode = path.stat().st_mode
        with path.open("rb"):
            pass
    except OSError as error:
        yield "warn", f"{name}: cannot be read: {error.strerror}", "put the password there (mode 0600)"
        return
    if mode & _OTHERS:
        yield "warn", f"{name}: others may read it (mode {stat.S_IMODE(mode):04o})", f"chmod 0600 {path}"
