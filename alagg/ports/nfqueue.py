"""Capture: takes the packets that iptables rules hand to an NFQUEUE.

The library NetfilterQueue sets the queue up. It would read with a buffer of 4,096 bytes and give one verdict per
packet, so the rest is done here on the same descriptor: the copy range is set to whole packets, messages are read
into a buffer of full size, and one verdict drops a whole batch (linux/netfilter/nfnetlink_queue.h).
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from pathlib import Path
from typing import Final

from netfilterqueue import NetfilterQueue

from alagg.ports.base import BATCH

QUEUE_LENGTH: Final = 2048
"""Packets that the kernel keeps for us; more are dropped and counted."""
RECEIVE_BUFFER: Final = 8 << 20
"""Bytes of the netlink socket's buffer."""
MAX_PAYLOAD: Final = 65_531
"""Bytes of the largest packet that a netlink attribute can carry; the kernel cuts larger ones."""
PROC_FILE: Final = Path("/proc/net/netfilter/nfnetlink_queue")

_SUBSYSTEM = 3 << 8
_MSG_PACKET = _SUBSYSTEM | 0
_MSG_CONFIG = _SUBSYSTEM | 2
_MSG_VERDICT_BATCH = _SUBSYSTEM | 3
_NLMSG_ERROR = 2
_NLM_F_REQUEST = 1
_ATTR_PACKET_HDR, _ATTR_VERDICT_HDR, _ATTR_PAYLOAD, _ATTR_CAP_LEN = 1, 2, 10, 13
_CFG_PARAMS = 2
_COPY_PACKET = 2
_NF_DROP = 0
_ATTR_TYPE_MASK = 0x3FFF
_HEADERS = 20  # struct nlmsghdr and struct nfgenmsg

_NLMSG = struct.Struct("=IHHII")
_NFGEN = struct.Struct("!BBH")
_ATTR = struct.Struct("=HH")
_BE32 = struct.Struct("!I")


class NfqueueCapture:
    """The packets of one NFQUEUE."""

    def __init__(self, queue: int) -> None:
        """Bind to a queue, 0 to 65535.

        Raises:
            OSError: the queue is taken, the kernel lacks NFQUEUE, or rights are missing.
        """
        self.queue = queue
        self.captured = 0
        """Packets that were read, whatever became of them."""
        self.dropped_oversize = 0
        """Packets of more than 65,531 bytes: the kernel hands them over cut, so they are refused."""
        self.dropped_malformed = 0
        """Messages that carried no packet."""
        self.overruns = 0
        """How often the kernel said that it had dropped packets (ENOBUFS); `counters` tells how many."""
        self._library = NetfilterQueue()
        self._library.bind(queue, _never_called, max_len=QUEUE_LENGTH, sock_len=RECEIVE_BUFFER)
        self._socket = socket.socket(fileno=os.dup(self._library.get_fd()))
        self._socket.setblocking(False)
        self._buffer = bytearray(1 << 17)
        self._view = memoryview(self._buffer)
        self._send(_MSG_CONFIG, _CFG_PARAMS, struct.pack("!IB", 0xFFFF, _COPY_PACKET))

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when packets wait."""
        return self._socket.fileno()

    def receive(self) -> list[bytes]:
        """Take the packets that wait, at most `BATCH`: from the kernel's view they are dropped."""
        packets: list[bytes] = []
        last = 0
        for _ in range(BATCH):
            try:
                size = self._socket.recv_into(self._buffer)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overruns += 1
                continue
            last = self._parse(size, packets) or last
        if last:
            self._send(_MSG_VERDICT_BATCH, _ATTR_VERDICT_HDR, struct.pack("!II", _NF_DROP, last))
        return packets

    def counters(self) -> dict[str, int]:
        """Give every counter, with the kernel's own: packets it dropped because we were too slow."""
        queue_dropped, user_dropped = self._kernel_drops()
        return {
            "captured": self.captured,
            "dropped_oversize": self.dropped_oversize,
            "dropped_malformed": self.dropped_malformed,
            "dropped_queue_full": queue_dropped,
            "dropped_buffer_full": user_dropped,
            "overruns": self.overruns,
        }

    def close(self) -> None:
        """Leave the queue; packets that still wait in it are dropped by the kernel."""
        self._socket.close()
        self._library.unbind()

    def _parse(self, size: int, packets: list[bytes]) -> int:
        """Append the packet of one netlink message; give its id, or 0 when it has none."""
        view = self._view
        _, kind, _, _, _ = _NLMSG.unpack_from(view)
        if kind != _MSG_PACKET:
            self.dropped_malformed += kind != _NLMSG_ERROR
            return 0
        packet_id, payload, cut = 0, b"", False
        offset = _HEADERS
        while offset + 4 <= size:
            length, attribute = _ATTR.unpack_from(view, offset)
            attribute &= _ATTR_TYPE_MASK
            if attribute == _ATTR_PAYLOAD:
                payload = bytes(view[offset + 4 : offset + length])
            elif attribute == _ATTR_PACKET_HDR:
                (packet_id,) = _BE32.unpack_from(view, offset + 4)
            elif attribute == _ATTR_CAP_LEN:
                cut = True
            offset += max(length + 3 & ~3, 4)
        self.captured += 1
        if cut:
            self.dropped_oversize += 1
        elif payload:
            packets.append(payload)
        else:
            self.dropped_malformed += 1
        return int(packet_id)

    def _send(self, kind: int, attribute: int, value: bytes) -> None:
        body = _NFGEN.pack(socket.AF_UNSPEC, 0, self.queue) + _ATTR.pack(4 + len(value), attribute) + value
        body += bytes(-len(body) % 4)
        self._socket.send(_NLMSG.pack(16 + len(body), kind, _NLM_F_REQUEST, 0, 0) + body)

    def _kernel_drops(self) -> tuple[int, int]:
        """Read how many packets found the queue full, and how many the netlink socket."""
        try:
            lines = PROC_FILE.read_text().splitlines()
        except OSError:
            return 0, 0
        for fields in map(str.split, lines):
            if int(fields[0]) == self.queue:
                return int(fields[5]), int(fields[6])
        return 0, 0


def _never_called(packet: object) -> None:
    """Satisfy the library, which wants a callback; its own reading is not used."""
    raise AssertionError(packet)
