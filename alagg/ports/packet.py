"""AF_PACKET frame by frame: the plain twins of `alagg.native.packet`, for hosts without a compiler."""

from __future__ import annotations

import errno
from itertools import groupby
from typing import TYPE_CHECKING

from alagg.engine.header import SIZE
from alagg.ports.base import BATCH, Arrival, arrival

if TYPE_CHECKING:
    from socket import socket

ETHERNET_HEADER = 14
"""Bytes of the Ethernet header."""


class FrameSender:
    """Sends frames on one socket."""

    def __init__(self, sock: socket) -> None:
        """Take the socket, non-blocking."""
        self._sendmsg = sock.sendmsg

    def send(self, prefix: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        """Send frames without waiting, `prefix` before each; give how many were taken.

        Raises:
            OSError: the first frame was refused for another reason than a full link.
        """
        if not payloads:
            return 0
        sendmsg, at, stride = self._sendmsg, 0, len(headers) // len(payloads)
        try:
            for payload in payloads:
                sendmsg((prefix, headers[at : at + stride], payload))
                at += stride
        except OSError as error:
            # EAGAIN: the socket's send buffer waits in the interface's queue; ENOBUFS: that queue dropped it.
            if not at and error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                raise
        return at // stride


class FrameReceiver:
    """Receives frames with payloads of at most `size` bytes on one socket."""

    def __init__(self, sock: socket, size: int) -> None:
        """Take the socket, non-blocking."""
        self._recv = sock.recv
        self._size = ETHERNET_HEADER + SIZE + size

    def receive(self) -> list[Arrival]:
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
        return [
            arrival(remote, [frame[ETHERNET_HEADER:] for frame in run])
            for remote, run in groupby(frames, lambda frame: frame[6:12])
        ]
