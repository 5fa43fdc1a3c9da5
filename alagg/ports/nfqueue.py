"""Capture: takes the packets that iptables rules hand to an NFQUEUE.

The library NetfilterQueue sets the queue up. It would read with a buffer of 4,096 bytes and give one verdict per
packet, so the rest is done here on the same descriptor: the copy range is set to whole packets, messages are read
into a buffer of full size, and one verdict drops a whole batch (linux/netfilter/nfnetlink_queue.h).
"""

from __future__ import annotations

import mmap
import os
import socket
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netfilterqueue import NetfilterQueue

from alagg import form
from alagg.engine.mss import MEMORY, SegmentLimits
from alagg.engine.segment import cut
from alagg.ports.base import BATCH
from alagg.ports.netlink import SUBSYSTEM, request

if TYPE_CHECKING or form.edges() == "plain":
    from alagg.ports.netlink import Reader
else:
    from alagg.native.nfqueue import Reader

QUEUE_LENGTH: Final = 2048
"""Packets that the kernel keeps for us; more are dropped and counted."""
RECEIVE_BUFFER: Final = 8 << 20
"""Bytes of the netlink socket's buffer."""
SUPER_QUEUE_LENGTH: Final = 8192
"""The same for super-packets: a thousand flows of TCP send some each at once, and time out when these are lost."""
SUPER_RECEIVE_BUFFER: Final = 128 << 20
"""The same for super-packets. Their pages are counted here and not copied, and the kernel lets each flow have no more
than a few that have not left (`tcp_small_queue_check`): that is the limit, as on a network card, and not a loss."""
MAX_PAYLOAD: Final = 65_531
"""Bytes of the largest packet that a netlink attribute can carry; the kernel cuts larger ones."""
PROC_FILE: Final = Path("/proc/net/netfilter/nfnetlink_queue")

SUPER_BATCH: Final = 8
"""Super-packets that one read takes at most: each becomes some 45 segments."""

LIMITS: Final = SegmentLimits(mmap.mmap(-1, MEMORY))
"""How large segments may be. Made before workers are forked, so that all share it: a flow's answers, from which it
learns, often come to another worker than its packets."""

_MSG_CONFIG = SUBSYSTEM | 2
_CFG_PARAMS, _CFG_MASK, _CFG_FLAGS = 2, 4, 5
_FLAG_GSO = 4
_COPY_PACKET = 2
_GSO = 2  # NFQA_SKB_GSO
_UNFINISHED = 1 | _GSO  # NFQA_SKB_CSUMNOTREADY


class NfqueueCapture:
    """The packets of one NFQUEUE."""

    def __init__(self, queue: int, *, super_packets: bool = False) -> None:
        """Bind to a queue, 0 to 65535.

        Args:
            queue: the queue's number.
            super_packets: take TCP packets of up to 64 KiB as the kernel has them and cut them here. Nothing but
                TCP may go to such a queue: the kernel does not tell the size of the datagrams in a UDP super-packet.

        Raises:
            OSError: the queue is taken, the kernel lacks NFQUEUE, or rights are missing.
        """
        self.queue = queue
        self.segment_size = 1280
        """Bytes of the largest segment that a super-packet is cut into, IP header included."""
        self._limits = LIMITS
        self.super_packets = 0
        """Packets that were cut."""
        self._segments_more = 0
        """Segments that they became, beyond one each."""
        self._library = NetfilterQueue()
        length, size = QUEUE_LENGTH, RECEIVE_BUFFER
        if super_packets:
            length, size = SUPER_QUEUE_LENGTH, SUPER_RECEIVE_BUFFER
        self._library.bind(queue, _never_called, max_len=length, sock_len=size)
        self._socket = socket.socket(fileno=os.dup(self._library.get_fd()))
        self._socket.setblocking(False)
        self._reader = Reader(self._socket, SUPER_BATCH if super_packets else BATCH)
        self._socket.send(request(_MSG_CONFIG, queue, (_CFG_PARAMS, struct.pack("!IB", 0xFFFF, _COPY_PACKET))))
        if super_packets:
            flag = struct.pack("!I", _FLAG_GSO)
            self._socket.send(request(_MSG_CONFIG, queue, (_CFG_FLAGS, flag), (_CFG_MASK, flag)))

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when packets wait."""
        return self._socket.fileno()

    def receive(self) -> list[bytes]:
        """Take the packets that wait, at most a batch."""
        packets, infos = self._reader.read()
        if any(infos):
            return self._segments(packets, infos)
        return packets

    def settle(self) -> None:
        """Have the kernel drop what was received: it is ours."""
        self._reader.settle(self.queue)

    def counters(self) -> dict[str, int]:
        """Give every counter, with the kernel's own: packets it dropped because we were too slow."""
        queue_dropped, user_dropped = self._kernel_drops()
        return {
            "captured": self._reader.captured + self._segments_more,
            "super_packets": self.super_packets,
            "dropped_oversize": self._reader.dropped_oversize,
            "dropped_malformed": self._reader.dropped_malformed,
            "dropped_queue_full": queue_dropped,
            "dropped_buffer_full": user_dropped,
            "overruns": self._reader.overruns,
        }

    def close(self) -> None:
        """Leave the queue; packets that still wait in it are dropped by the kernel."""
        self._socket.close()
        self._library.unbind()

    def _segments(self, packets: list[bytes], infos: list[int]) -> list[bytes]:
        """Cut the super-packets, and complete the checksums that were left to a network card."""
        segments: list[bytes] = []
        for packet, info in zip(packets, infos, strict=True):
            if info & _UNFINISHED:
                size = self.segment_size
                if info & _GSO:
                    size = min(size, self._limits.size(packet))
                else:
                    self._limits.note(packet)
                pieces = cut(packet, size)
                self.super_packets += len(pieces) > 1
                self._segments_more += len(pieces) - 1
                segments += pieces
            else:
                segments.append(packet)
        return segments

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
