"""A TUN device's packets, read and written one by one: the plain twin of `alagg.native.tun`."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

from alagg.engine.vnet import SIZE
from alagg.ports.base import BATCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.merge import Item


_LARGEST: Final = SIZE + 65_535
_ROOM: Final = 8 * _LARGEST
"""Bytes of one read: eight super-packets, which become some 360 segments, or a batch of others."""


class Reader:
    """Reads packets and super-packets from one queue of a TUN device that was opened with IFF_VNET_HDR."""

    def __init__(self, descriptor: int) -> None:
        """Take the queue's descriptor, non-blocking."""
        self.malformed = 0
        """What was shorter than a header and a byte."""
        self._descriptor = descriptor

    def read(self) -> tuple[list[bytes], list[bytes | None]]:
        """Give the packets that wait, and what `alagg.engine.vnet` has to know of each; None: it is finished.

        Raises:
            OSError: the device is gone, and nothing was read.
        """
        packets: list[bytes] = []
        headers: list[bytes | None] = []
        for data in self._take():
            if len(data) <= SIZE:
                self.malformed += 1
                continue
            packets.append(data[SIZE:])
            headers.append(data[:SIZE] if any(data[:2]) else None)
        return packets, headers

    def _take(self) -> list[bytes]:
        taken: list[bytes] = []
        used = 0
        while len(taken) < BATCH and used + _LARGEST <= _ROOM:
            try:
                taken.append(os.read(self._descriptor, _LARGEST))
            except BlockingIOError:
                break
            except OSError:
                if taken:
                    break
                raise
            used += len(taken[-1])
        return taken


class Writer:
    """Writes packets and super-packets to one queue of a TUN device that was opened with IFF_VNET_HDR."""

    def __init__(self, descriptor: int) -> None:
        """Take the queue's descriptor, non-blocking."""
        self.written = 0
        """Packets that the host took, those in super-packets counted each."""
        self.refused: dict[str, int] = {}
        """Packets that it did not take, by the name of its error."""
        self._descriptor = descriptor

    def write(self, items: Sequence[Item]) -> int:
        """Write items; give how many were taken or refused: fewer than all only when the device is gone."""
        writev, descriptor = os.writev, self._descriptor
        for index, (vnet, head, packets, offset) in enumerate(items):
            try:
                writev(descriptor, (vnet, head, *[packet[offset:] for packet in packets]))
            except OSError as error:
                if error.errno == errno.EBADFD:
                    return index
                name = errno.errorcode.get(error.errno or 0, "unknown")
                self.refused[name] = self.refused.get(name, 0) + (len(packets) or 1)
            else:
                self.written += len(packets) or 1
        return len(items)
