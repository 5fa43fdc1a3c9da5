"""AF_PACKET frame by frame: the plain twins of `alagg.native.packet`, for hosts without a compiler."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from alagg.ports.base import BATCH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from socket import socket


class Sender:
    """Sends frames on one socket."""

    def __init__(self, sock: socket, prefix: bytes) -> None:
        """Take the socket, non-blocking, and what stands before each header."""
        self._sendmsg = sock.sendmsg
        self._prefix = prefix

    def send(self, headers: Sequence[bytes], payloads: Sequence[bytes]) -> int:
        """Send frames without waiting; give how many were taken.

        Raises:
            OSError: the first frame was refused for another reason than a full link.
        """
        sendmsg, prefix = self._sendmsg, self._prefix
        count = 0
        try:
            for header, payload in zip(headers, payloads, strict=True):
                sendmsg((prefix, header, payload))
                count += 1
        except OSError as error:
            # EAGAIN: the socket's send buffer waits in the interface's queue; ENOBUFS: that queue dropped it.
            if not count and error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                raise
        return count


class Receiver:
    """Receives frames of at most `size` bytes on one socket."""

    def __init__(self, sock: socket, size: int) -> None:
        """Take the socket, non-blocking."""
        self._recv = sock.recv
        self._size = size

    def receive(self) -> list[bytes]:
        """Give the frames that wait, at most `BATCH`.

        Raises:
            OSError: the socket cannot receive now.
        """
        recv, size = self._recv, self._size
        frames: list[bytes] = []
        try:
            for _ in range(BATCH):
                frames.append(recv(size))  # noqa: PERF401 - the frames before an exception count
        except BlockingIOError:
            pass
        except OSError:
            if not frames:
                raise
        return frames
