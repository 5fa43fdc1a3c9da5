"""Opening: gets at the file, makes it where there is none, and sets a broken one aside for a new one."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from typing import TYPE_CHECKING, Final

from alagg.history.tables import APPLICATION, SCHEMA, VERSION

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE: Final = 2.0
"""Seconds to wait for who else is at the file."""
BROKEN: Final = ".broken"
"""What the name of a file ends in that was set aside; there is one at most."""
PAGE: Final = 4096
_JOURNAL: Final = 1 << 20
"""Bytes that the write-ahead log has at most between two checkpoints, about; a small file has less."""
_LEAST: Final = 64
"""Pages that a file may have at least."""

log = logging.getLogger(__name__)


def for_writing(path: Path, size: int) -> sqlite3.Connection:
    """Open the file for its one writer; a broken one, or one of another version, is set aside and begun anew.

    Args:
        path: the file.
        size: bytes that it may have.

    Raises:
        sqlite3.Error: it cannot be used; that is not the file's fault.
        OSError: its directory cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _opened(path, size)
    except sqlite3.DatabaseError as error:
        if not is_broken(error):
            raise
        set_aside(path, error)
        return _opened(path, size)


def for_reading(path: Path) -> sqlite3.Connection:
    """Open the file for reading, beside its writer.

    Raises:
        sqlite3.Error: there is none, or it cannot be read.
    """
    # Who may not write beside a file that nobody has open cannot share it, and need not.
    alone = not path.with_name(path.name + "-wal").exists() and not os.access(path.parent, os.W_OK)
    uri = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    return sqlite3.connect(uri, timeout=PATIENCE, uri=True)


def pages(size: int) -> int:
    """Give how many pages a file has at most that, with its write-ahead log, shall have `size` bytes."""
    return max((size - _journal(size)) // PAGE, _LEAST)


def _journal(size: int) -> int:
    return min(_JOURNAL, size // 4)


def is_broken(error: sqlite3.Error) -> bool:
    """Tell whether an error says that the file's content is wrong."""
    # What no error of a system or a disk explains: sqlite3 raises subclasses for those.
    return type(error) is sqlite3.DatabaseError


def set_aside(path: Path, error: sqlite3.Error) -> None:
    """Rename a file that is broken; what belongs to it goes."""
    log.warning("%s: %s; it is kept as %s, and begun anew", path, error, path.name + BROKEN)
    for end in ("-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        path.replace(path.with_name(path.name + BROKEN))


def _opened(path: Path, size: int) -> sqlite3.Connection:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    os.close(descriptor)
    connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    try:
        _prepare(connection, size)
    except BaseException:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, size: int) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    if not connection.execute("SELECT name FROM sqlite_master LIMIT 1").fetchone():
        connection.execute(f"PRAGMA page_size = {PAGE}")
        connection.executescript(SCHEMA)
    elif owner != APPLICATION:
        raise sqlite3.OperationalError("it is the database of another program")
    elif version != VERSION:
        raise sqlite3.DatabaseError(f"it is of version {version}, and this alagg writes version {VERSION}")
    for name, value in (
        ("journal_mode", "WAL"),
        ("synchronous", "NORMAL"),
        ("wal_autocheckpoint", _journal(size) // PAGE),
        ("journal_size_limit", _journal(size)),
        ("max_page_count", pages(size)),
    ):
        connection.execute(f"PRAGMA {name} = {value}").fetchall()
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(f"it is damaged: {verdict.splitlines()[0]}")
