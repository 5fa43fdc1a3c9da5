"""Signals: what the supervisor is told by SIGTERM, SIGINT and SIGHUP, as a descriptor among the others."""

from __future__ import annotations

import signal
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import ExitStack


class Signals:
    """Turns signals into a readable descriptor."""

    def __init__(self, stack: ExitStack) -> None:
        """Catch SIGTERM, SIGINT and SIGHUP until the stack unwinds."""
        self._socket, writer = socket.socketpair()
        self._socket.setblocking(False)
        writer.setblocking(False)
        stack.callback(self._socket.close)
        stack.callback(writer.close)
        stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writer.fileno()))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            stack.callback(signal.signal, number, signal.signal(number, lambda *_: None))

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when a signal came."""
        return self._socket.fileno()

    def take(self) -> list[int]:
        """Give the numbers of the signals that came."""
        try:
            return list(self._socket.recv(64))
        except BlockingIOError:
            return []
