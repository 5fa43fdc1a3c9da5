"""State file: keeps a small text over restarts. It is written by a thread, whole or not at all, and nobody waits."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from pathlib import Path
from typing import Final

MAX_SIZE: Final = 1 << 20
"""Bytes that are read at most."""
END_TIME: Final = 2.0
"""Seconds in which the last text must be written when the node ends."""

log = logging.getLogger(__name__)


def place(control_socket: Path, ending: str) -> Path:
    """Give where a node keeps what outlives it: in /var/lib where its socket is in /run, else beside that."""
    name = control_socket.stem if control_socket.suffix == ".sock" else control_socket.name
    folder = control_socket.parent
    if folder.parts[:2] == ("/", "run"):
        folder = Path("/var/lib", *folder.parts[2:])
    elif folder.parts[:3] == ("/", "var", "run"):
        folder = Path("/var/lib", *folder.parts[3:])
    return folder / f"{name}{ending}"


class StateFile:
    """One file, and the thread that writes it."""

    def __init__(self, path: Path) -> None:
        """Take the file's path; its directory is made when it is written."""
        self.path = path
        self._wanted: str | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ended = False
        self._complained = False

    def read(self) -> str:
        """Give the text; empty where there is no file.

        Raises:
            OSError: it cannot be read.
            ValueError: it is too large, or no text.
        """
        try:
            with self.path.open("rb") as file:
                data = file.read(MAX_SIZE + 1)
        except FileNotFoundError:
            return ""
        if len(data) > MAX_SIZE:
            raise ValueError(f"larger than {MAX_SIZE:,} bytes")
        return data.decode()

    def write(self, text: str) -> None:
        """Have a text written; of several that wait only the last."""
        with self._changed:
            self._wanted = text
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="alagg-state", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Wait, for a bounded time, until the last text is written."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(END_TIME)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted is not None or self._ended)
                text, self._wanted = self._wanted, None
            if text is None:
                return
            self._put(text)

    def _put(self, text: str) -> None:
        """Write it beside the file, and put that in its place: who reads it meets the old text or the new one."""
        beside = self.path.with_name(f".{self.path.name}.new")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with beside.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
            self._complained = False
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            if not self._complained:
                words = "%s: not written: %s; it is tried again, and what is counted holds meanwhile"
                log.warning(words, self.path, error.strerror)
            self._complained = True
