"""NFQUEUE message by message: the plain twin of `alagg.native.nfqueue`, for hosts without a compiler."""

from __future__ import annotations

import errno
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from socket import socket

MSG_PACKET: Final = 3 << 8
"""Message type: a packet of a queue (NFNL_SUBSYS_QUEUE, NFQNL_MSG_PACKET)."""

_NLMSG_ERROR = 2
_ATTR_PACKET_HDR, _ATTR_PAYLOAD, _ATTR_CAP_LEN, _ATTR_SKB_INFO = 1, 10, 13, 14
_ATTR_TYPE_MASK = 0x3FFF
_HEADERS = 20  # struct nlmsghdr and struct nfgenmsg
_BUFFER = 65536 + 1024  # the largest payload and what may stand before it

_TYPE = struct.Struct("=4xH")
_ATTR = struct.Struct("=HH")
_BE32 = struct.Struct("!I")


class Reader:
    """Reads the messages of a queue, at most `batch` at once."""

    def __init__(self, sock: socket, batch: int) -> None:
        """Take the queue's netlink socket, non-blocking."""
        self.captured = 0
        """Packets that were read, whatever became of them."""
        self.dropped_oversize = 0
        """Packets that the kernel handed over cut."""
        self.dropped_malformed = 0
        """Messages that carried no packet."""
        self.overruns = 0
        """How often the kernel said that it had dropped packets (ENOBUFS)."""
        self.last = 0
        """The id of the last packet."""
        self._socket = sock
        self._batch = batch
        self._buffer = bytearray(_BUFFER)
        self._view = memoryview(self._buffer)

    def read(self) -> tuple[list[bytes], list[int]]:
        """Give the packets that wait, and for each what the kernel says of it (NFQA_SKB_INFO).

        Raises:
            OSError: the queue cannot be read.
        """
        packets: list[bytes] = []
        infos: list[int] = []
        for _ in range(self._batch):
            try:
                size = self._socket.recv_into(self._buffer)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1
                continue
            self._parse(self._view[:size], packets, infos)
        return packets, infos

    def parse(self, message: bytes) -> tuple[list[bytes], list[int]]:
        """Parse one message from memory, as `read` does: for tests."""
        packets: list[bytes] = []
        infos: list[int] = []
        self._parse(memoryview(message), packets, infos)
        return packets, infos

    def _parse(self, message: memoryview, packets: list[bytes], infos: list[int]) -> None:
        """Append the packet of one message, and what the kernel says of it."""
        size = len(message)
        kind = _TYPE.unpack_from(message)[0] if size >= _HEADERS else -1
        if kind != MSG_PACKET:
            self.dropped_malformed += kind != _NLMSG_ERROR
            return
        payload, oversize, info, offset = b"", False, 0, _HEADERS
        while offset + 4 <= size:
            length, attribute = _ATTR.unpack_from(message, offset)
            attribute &= _ATTR_TYPE_MASK
            if length < 4 or offset + length > size:
                break
            if attribute == _ATTR_PAYLOAD:
                payload = bytes(message[offset + 4 : offset + length])
            elif attribute == _ATTR_PACKET_HDR and length >= 8:
                (self.last,) = _BE32.unpack_from(message, offset + 4)
            elif attribute == _ATTR_SKB_INFO and length >= 8:
                (info,) = _BE32.unpack_from(message, offset + 4)
            elif attribute == _ATTR_CAP_LEN:
                oversize = True
            offset += length + 3 & ~3
        self.captured += 1
        if oversize:
            self.dropped_oversize += 1
        elif payload:
            packets.append(payload)
            infos.append(info)
        else:
            self.dropped_malformed += 1
