"""Writing to a TUN device item by item: the plain twin of `alagg.native.tun`, for hosts without a compiler."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.merge import Item


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
