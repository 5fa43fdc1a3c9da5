"""Keeper: has a writer for the history whenever one can be had, and goes on without where the disk allows none."""

from __future__ import annotations

import contextlib
import grp
import logging
import sqlite3
from typing import TYPE_CHECKING, Final

from alagg.history import opening
from alagg.history.writer import Writer
from alagg.system.sharing import share, shared

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from alagg.history.look import Sample, Subject

RETRY: Final = 10.0
"""Seconds until a file that could not be opened, or was broken, is tried again."""

log = logging.getLogger(__name__)


class Keeper:
    """The history of a node, as it is being written."""

    def __init__(self, path: Path, size: int, group: str = "") -> None:
        """Keep it in the file `path`, of about `size` bytes at most; members of `group` may read it."""
        self._path, self._size, self._group = path, size, group
        self._writer: Writer | None = None
        self._next = float("-inf")
        self._complaint = ""

    def open(self, passed: float) -> None:
        """Open the file, unless that has just failed; why it cannot be had is one line in the log.

        Args:
            passed: seconds of a clock that only goes forwards.
        """
        if self._writer is not None or passed < self._next:
            return
        self._next = passed + RETRY
        try:
            self._writer = Writer(self._path, self._size)
            self._share()
        except (OSError, sqlite3.Error) as error:
            self._complain(f"no history is kept: {_words(error)}")
        else:
            if self._complaint:
                log.info("%s: the history is kept again", self._path)
            self._complaint = ""

    def write(
        self, now: float, passed: float, samples: Mapping[Subject, Sample], events: Sequence[Mapping[str, Any]] = (),
        steady: float = 0.0,
    ) -> None:
        """Add what was seen; what cannot be written is lost, and never an error.

        Args:
            now: the time (`time.time`); it may jump.
            passed: seconds of a clock that only goes forwards.
            samples: of each link and peer.
            events: as the node tells them, each with its own time in `at`.
            steady: seconds since the clock has jumped, or since it was looked at first.
        """
        if self._writer is not None and not self._writer.in_place():
            self.close()  # somebody has moved or deleted the file: begin another
        self.open(passed)
        if self._writer is None:
            return
        try:
            self._writer.write(now, samples, events, steady)
        except (OSError, sqlite3.Error) as error:
            self._mend(error, passed)

    def states(self) -> dict[Subject, str]:
        """Give the state of each link that was told last; nothing where that is not known."""
        try:
            return {} if self._writer is None else self._writer.states()
        except (sqlite3.Error, ValueError):
            return {}

    def close(self) -> None:
        """Close the file."""
        writer, self._writer = self._writer, None
        if writer is not None:
            with contextlib.suppress(sqlite3.Error):
                writer.close()
        self._next = float("-inf")

    def _mend(self, error: Exception, passed: float) -> None:
        self.close()
        self._next = passed + RETRY
        if isinstance(error, sqlite3.Error) and opening.is_broken(error):
            with contextlib.suppress(OSError):
                opening.set_aside(self._path, error)
        else:
            self._complain(f"no history is kept: {_words(error)}")

    def _complain(self, text: str) -> None:
        if text != self._complaint:
            log.error("%s: %s; tried again each %.0f s", self._path, text, RETRY)
            self._complaint = text

    def _share(self) -> None:
        """Let the group read it."""
        if not self._group:
            return
        try:
            number = grp.getgrnam(self._group).gr_gid
            for end in ("", "-wal", "-shm"):
                file = self._path.with_name(self._path.name + end)
                if file.exists() and not shared(file, number):
                    share(file, number, 0o640)
        except (KeyError, OSError) as error:
            log.warning("%s: the group %s cannot read it: %s", self._path, self._group, _words(error))


def _words(error: Exception) -> str:
    """Say what is wrong without the path, which stands before it."""
    return (isinstance(error, OSError) and error.strerror) or str(error)
