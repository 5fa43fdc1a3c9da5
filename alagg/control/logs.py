"""Sets up the log: readable lines, or JSON objects, on standard error, and nobody ever waits for who reads them."""

from __future__ import annotations

import collections
import contextlib
import logging
import os
import select
import sys
import threading
from datetime import datetime, timezone
from typing import Final

MAX_LINES: Final = 1000
"""Lines that wait to be written; while nobody reads, the oldest make room, and their number is told afterwards."""
FLUSH_TIME: Final = 0.5
"""Seconds in which the lines that wait must be written when the process ends."""
_PRIORITIES: Final = {"DEBUG": 7, "INFO": 6, "WARNING": 4, "ERROR": 3, "CRITICAL": 2}
"""The levels as syslog knows them (sd-daemon(3)), which the journal reads from a line's start."""
_OWN: Final = "alagg"
"""The logger above all of ours. What libraries have to say below a warning is of use to their own developers."""


def set_up(level: str, format: str) -> None:  # noqa: A002 - the option's name
    """Send the log to standard error; lines wait until `start` is called, or the process ends.

    Args:
        level: `debug`, `info`, `warning` or `error`.
        format: `text`, or `json` for one object per line.
    """
    descriptor = _standard_error()
    handler = _Handler(descriptor)
    handler.setFormatter(_json() if format == "json" else _Text(journal=_is_journal(descriptor)))
    logging.basicConfig(level=max(getattr(logging, level.upper()), logging.WARNING), handlers=[handler], force=True)
    logging.getLogger(_OWN).setLevel(level.upper())


def start() -> None:
    """Begin to write, in a thread of this process: call it after the forks that it does not survive."""
    for handler in _handlers():
        handler.start()


def flush() -> None:
    """Wait until everything is written, for `FLUSH_TIME` at most: what forked processes have to do at their end."""
    for handler in _handlers():
        handler.flush()


def _handlers() -> list[_Handler]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, _Handler)]


class _Handler(logging.Handler):
    """Keeps the newest lines, which a thread writes when somebody reads them."""

    def __init__(self, descriptor: int) -> None:
        """Take where to write."""
        super().__init__()
        self._descriptor = descriptor
        self._torn = False
        """Whether a line was cut in its middle."""
        self._reset()

    def _reset(self) -> None:
        """Begin with nothing: in a forked child the lines that wait are the parent's to write."""
        self._changed = threading.Condition()
        self._waiting: collections.deque[logging.LogRecord] = collections.deque()
        self._writing = False
        self._dropped = 0
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record until it is written; the oldest one makes room."""
        with self._changed:
            if len(self._waiting) >= MAX_LINES:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(record)
            self._changed.notify_all()

    def start(self) -> None:
        """Start the thread that writes, if there is none."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._write_all, name="alagg-log", daemon=True)
            self._thread.start()

    def flush(self) -> None:
        """Wait until everything is written, for a bounded time: nobody may read it any more."""
        self.start()
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting and not self._writing, FLUSH_TIME)

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._waiting)
                self._writing = True
                record, dropped = self._waiting.popleft(), self._dropped
            if dropped and self._write(_note(dropped)):
                self._count_dropped(-dropped)
                dropped = 0
            if dropped or not self._write(record):
                self._count_dropped(1)

    def _count_dropped(self, lines: int) -> None:
        with self._changed:
            self._dropped += lines

    def _write(self, record: logging.LogRecord) -> bool:
        """Write a line, however long that takes; tell whether it could be written."""
        try:
            line = self.format(record)
        except Exception as error:  # noqa: BLE001 - the thread outlives a record that cannot be formatted
            line = f"{record.levelname} a line that cannot be written: {record.msg!r}: {error}"
        data = f"{line}\n".encode(errors="backslashreplace")
        if self._torn:
            data = b"\n" + data
        written = _write_whole(self._descriptor, data)
        if written:
            self._torn = written < len(data)
        return written == len(data)


def _write_whole(descriptor: int, data: bytes) -> int:
    """Write all bytes, whatever the descriptor's mode; give how many could be written.

    A full disk, a reader that is gone, a closed descriptor: nothing that packets have to do with.
    """
    written = 0
    while written < len(data):
        try:
            written += os.write(descriptor, data[written:])
        except BlockingIOError:  # somebody else, who has it too, made it non-blocking
            poll = select.poll()
            poll.register(descriptor, select.POLLOUT)
            poll.poll()
        except OSError:
            break
    return written


def _note(dropped: int) -> logging.LogRecord:
    """Say that lines are missing."""
    text = "dropped lines of the log: %d (they could not be written, or nobody read them)"
    return logging.LogRecord(_OWN, logging.WARNING, __file__, 0, text, (dropped,), None)


def _after_fork() -> None:
    for handler in _handlers():
        handler._reset()  # noqa: SLF001 - this module's own


os.register_at_fork(after_in_child=_after_fork)


def _standard_error() -> int:
    """Give where the log goes: to nobody where an init script has closed it.

    The three standard descriptors are open afterwards: a socket of the node that got one of their numbers would
    receive what anybody prints.
    """
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - open to the end
    return sys.stderr.fileno()


class _Text(logging.Formatter):
    """One line per record; the journal adds the time itself."""

    def __init__(self, *, journal: bool) -> None:
        super().__init__("%(levelname)s %(message)s" if journal else "%(asctime)s %(levelname)s %(message)s")
        self.journal = journal

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
        return iso_time(record.created)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        record.levelname, level = record.levelname.lower(), record.levelname
        # Names of interfaces and the like may come from outside: no line break of theirs starts a line of ours.
        line = super().formatMessage(record).replace("\n", "\\n")
        record.levelname = level
        return f"<{_PRIORITIES.get(level, 6)}>{line}" if self.journal else line


def iso_time(seconds: float) -> str:
    """Give a time of `time.time` as ISO 8601 has it, with milliseconds and the zone."""
    return datetime.fromtimestamp(seconds, timezone.utc).astimezone().isoformat(timespec="milliseconds")


def _json() -> logging.Formatter:
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415 - most nodes log text and need none of it

    class Formatter(JsonFormatter):
        def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802
            return iso_time(record.created)

    return Formatter(
        "%(asctime)s %(levelname)s %(name)s %(message)s",
        rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
    )


def _is_journal(descriptor: int) -> bool:
    """Tell whether standard error leads to systemd's journal (systemd.exec(5), JOURNAL_STREAM)."""
    with contextlib.suppress(OSError):
        status = os.fstat(descriptor)
        return os.environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
    return False
