"""A channel between the supervisor and a worker: whole messages in both directions, and no end ever waits."""

from __future__ import annotations

import os
import pickle
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_LENGTH: Final = struct.Struct("!i")
"""What stands before a message: its bytes, as `multiprocessing.connection` has it."""
PIECE: Final = 1 << 16
"""Bytes that are read or written at once at most."""


class Channel:
    """One end of a connection; its owner polls the descriptor, and puts in only what it can bear to keep."""

    def __init__(self, connection: Connection) -> None:
        """Take over one end of a connection."""
        self._connection = connection
        os.set_blocking(connection.fileno(), False)
        self._incoming = bytearray()
        self._outgoing = b""

    def fileno(self) -> int:
        """Give the descriptor."""
        return self._connection.fileno()

    @property
    def writing(self) -> bool:
        """Whether a message has not left yet, or not wholly."""
        return bool(self._outgoing)

    def write(self, message: object) -> bool:
        """Send a message; what finds no room now is kept for `resume`. Tell whether all of it has left.

        Raises:
            OSError: the other end is gone.
        """
        data = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._outgoing += _LENGTH.pack(len(data)) + data
        return self.resume()

    def resume(self) -> bool:
        """Go on writing; tell whether nothing is left.

        Raises:
            OSError: the other end is gone.
        """
        while self._outgoing:
            try:
                sent = os.write(self.fileno(), self._outgoing[:PIECE])
            except BlockingIOError:
                return False
            self._outgoing = self._outgoing[sent:]
        return True

    def read(self) -> object:
        """Give the next message, None while it is not wholly there; one piece of it is read at most.

        Nothing behind the message is read: the descriptor stays readable as long as there is more.

        Raises:
            EOFError: the other end is gone.
            OSError: the connection is broken.
        """
        if len(self._incoming) < _LENGTH.size:
            self._read(_LENGTH.size)
        if len(self._incoming) >= _LENGTH.size:
            size = _LENGTH.size + _LENGTH.unpack_from(self._incoming)[0]
            self._read(size)
            if len(self._incoming) == size:
                message: object = pickle.loads(memoryview(self._incoming)[_LENGTH.size :])  # noqa: S301 - our own
                self._incoming = bytearray()
                return message
        return None

    def close(self) -> None:
        """Close this end: the other one reads what has left, and then the end."""
        self._connection.close()

    def _read(self, size: int) -> None:
        """Read on, until there are `size` bytes, or no more for now."""
        try:
            data = os.read(self.fileno(), min(size - len(self._incoming), PIECE))
        except BlockingIOError:
            return
        if not data:
            raise EOFError
        self._incoming += data
