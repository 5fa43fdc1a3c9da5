"""NFQUEUE message by message: the plain twin of `alagg.native.nfqueue`, for hosts without a compiler."""

from __future__ import annotations

import errno
import os
import socket
import struct
from typing import Final

SUBSYSTEM: Final = 3 << 8
"""Where the types of messages about queues begin (NFNL_SUBSYS_QUEUE)."""
MSG_PACKET: Final = SUBSYSTEM | 0
"""Message type: a packet of a queue (NFQNL_MSG_PACKET)."""

_MSG_VERDICT, _MSG_VERDICT_BATCH = SUBSYSTEM | 1, SUBSYSTEM | 3
_NLMSG_ERROR = 2
_NLM_F_REQUEST, _NLM_F_ACK = 1, 4
_NF_DROP, _NF_ACCEPT = 0, 1
_ATTR_VERDICT_HDR = 2
_ATTR_PACKET_HDR, _ATTR_PAYLOAD, _ATTR_CAP_LEN, _ATTR_SKB_INFO = 1, 10, 13, 14
_ATTR_TYPE_MASK = 0x3FFF
_HEADERS = 20  # struct nlmsghdr and struct nfgenmsg
_BUFFER = 65536 + 1024  # the largest payload and what may stand before it

_NEIGHBOURS = [bytes([kind]) for kind in range(133, 138)]
_SPARED = 64  # packets between two verdicts, as many as a batch has

_TYPE = struct.Struct("=4xH")
_ATTR = struct.Struct("=HH")
_BE32 = struct.Struct("!I")
_NLMSG = struct.Struct("=IHHII")
_NFGEN = struct.Struct("!BBH")
_ERROR = struct.Struct("=i")


def request(kind: int, queue: int, *attributes: tuple[int, bytes], acknowledge: bool = False) -> bytes:
    """Give a message about a queue to the kernel (linux/netfilter/nfnetlink_queue.h).

    Args:
        kind: the message's type.
        queue: the queue's number.
        attributes: numbers and contents.
        acknowledge: have the kernel say whether it did as it was told, see `confirm`.
    """
    body = _NFGEN.pack(socket.AF_UNSPEC, 0, queue)
    for attribute, value in attributes:
        body += _ATTR.pack(4 + len(value), attribute) + value + bytes(-len(value) % 4)
    flags = _NLM_F_REQUEST | (_NLM_F_ACK if acknowledge else 0)
    return _NLMSG.pack(16 + len(body), kind, flags, 0, 0) + body


def confirm(sock: socket.socket) -> None:
    """Wait for the answer to a message that asked for one.

    Raises:
        OSError: the kernel refused it, or does not answer.
    """
    while True:
        answer = sock.recv(_BUFFER)
        if len(answer) >= _HEADERS and _TYPE.unpack_from(answer)[0] == _NLMSG_ERROR:
            (code,) = _ERROR.unpack_from(answer, 16)
            if code:
                raise OSError(-code, os.strerror(-code))
            return


def _is_neighbour_discovery(packet: bytes) -> bool:
    """Tell whether a packet asks for a neighbour or answers that (RFC 4861): none but 255 is its hop limit."""
    return packet[6:8] == b"\x3a\xff" and packet[0] >> 4 == 6 and packet[40:41] in _NEIGHBOURS


class Reader:
    """Reads the messages of a queue, at most `batch` at once."""

    def __init__(self, sock: socket.socket, batch: int) -> None:
        """Take the queue's netlink socket, non-blocking."""
        self.captured = 0
        """Packets that were read, whatever became of them."""
        self.dropped_oversize = 0
        """Packets that the kernel handed over cut."""
        self.dropped_malformed = 0
        """Messages that carried no packet."""
        self.left_alone = 0
        """Packets of neighbour discovery, which are the segment's: they go their way."""
        self.overruns = 0
        """How often the kernel said that it had dropped packets (ENOBUFS)."""
        self.disowned = 0
        """How often the kernel said that there is no such queue, or that it is another program's."""
        self.last = 0
        """The id of the last packet."""
        self._spared: list[int] = []
        """The ids of packets that were read and are not ours."""
        self._settled = 0
        """The id of the last packet that the kernel was told to drop."""
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

    def settle(self, queue: int) -> None:
        """Have the kernel drop the packets that were read from a queue, since they are ours, and send the others on.

        Raises:
            OSError: the kernel cannot be told.
        """
        if self.last != self._settled:
            while self._spared:
                self._decide(queue, _MSG_VERDICT, _NF_ACCEPT, self._spared.pop())
            self._decide(queue, _MSG_VERDICT_BATCH, _NF_DROP, self.last)
            self._settled = self.last

    def _decide(self, queue: int, kind: int, verdict: int, number: int) -> None:
        self._socket.send(request(kind, queue, (_ATTR_VERDICT_HDR, struct.pack("!II", verdict, number))))

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
            self._parse_other(kind, message)
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
        if oversize or not payload:
            self.captured += 1
            self.dropped_oversize += oversize
            self.dropped_malformed += not oversize
        elif _is_neighbour_discovery(payload) and len(self._spared) < _SPARED:
            self.left_alone += 1
            self._spared.append(self.last)
        else:
            self.captured += 1
            packets.append(payload)
            infos.append(info)

    def _parse_other(self, kind: int, message: memoryview) -> None:
        """Count a message that is no packet; it may be the answer to a verdict or a configuration."""
        if kind == _NLMSG_ERROR:
            self.disowned += -_ERROR.unpack_from(message, 16)[0] in (errno.ENODEV, errno.EPERM)
        else:
            self.dropped_malformed += 1
