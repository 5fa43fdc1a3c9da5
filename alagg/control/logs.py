"""Sets up the log: readable lines, or JSON objects, on standard error."""

from __future__ import annotations

import logging
import os
import sys
from typing import Final

_PRIORITIES: Final = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""The levels as syslog knows them (sd-daemon(3)), which the journal reads from a line's start."""


def set_up(level: str, format: str) -> None:  # noqa: A002 - the option's name
    """Send the log to standard error.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        format: `text`, or `json` for one object per line.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_json() if format == "json" else _Text(journal=_is_journal()))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)


class _Text(logging.Formatter):
    """One line per record; the journal adds the time itself."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(levelname)s %(message)s" if journal else "%(asctime)s %(levelname)s %(message)s")
        self.journal = journal

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.levelname, level = record.levelname.lower(), record.levelname
        # Names of interfaces and the like may come from outside: no line break of theirs starts a line of ours.
        line = super().formatMessage(record).replace("\n", "\\n")
        record.levelname = level
        return f"<{_PRIORITIES.get(level, 6)}>{line}" if self.journal else line


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415 - most nodes log text and need none of it

    return JsonFormatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
    )


def _is_journal() -> bool:
    """Tell whether standard error leads to systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    try:
        status = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
