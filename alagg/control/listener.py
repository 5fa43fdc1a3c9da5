"""Listener: hears a node's events in a thread of its own, for as long as it lives, and connects anew when it ends."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_WAITING: Final = 10_000
"""Events that wait to be taken; the oldest make room."""
RETRY: Final = 1.0
"""Seconds until it connects anew."""


class Listener:
    """The events of a node."""

    def __init__(self, socket_path: Path, woken: Callable[[], None]) -> None:
        """Listen at a control socket; `woken` is called, in the thread, for each event."""
        self._path = socket_path
        self._woken = woken
        self._events: deque[dict[str, Any]] = deque(maxlen=MAX_WAITING)
        self._ended = threading.Event()
        self._node: socket.socket | None = None
        self._thread = threading.Thread(target=self._listen, name="alagg-events", daemon=True)
        self._thread.start()

    def take(self) -> list[dict[str, Any]]:
        """Give what has happened since the last call; `at` is when it came."""
        found = []
        with contextlib.suppress(IndexError):
            while True:
                found.append(self._events.popleft())
        return found

    def close(self) -> None:
        """Listen no longer."""
        self._ended.set()
        if (node := self._node) is not None:
            with contextlib.suppress(OSError):
                node.shutdown(socket.SHUT_RDWR)
        self._thread.join(RETRY)

    def _listen(self) -> None:
        while not self._ended.is_set():
            with contextlib.suppress(OSError, ValueError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as node:
                node.connect(str(self._path))
                self._node = node
                node.sendall(b"events\n")
                if not self._ended.is_set():
                    self._read(node)
            self._node = None
            self._ended.wait(RETRY)

    def _read(self, node: socket.socket) -> None:
        with node.makefile("rb") as lines:
            for line in lines:
                event = json.loads(line)
                if isinstance(event, dict) and {"kind", "text"} <= event.keys():
                    self._events.append({**event, "at": time.time()})
                    self._woken()
