"""Capture: takes the packets that iptables rules hand to an NFQUEUE.

Whole packets are asked for, messages are read into a buffer of full size, and one verdict drops a whole batch
(linux/netfilter/nfnetlink_queue.h).
"""

from __future__ import annotations

import errno
import logging
import mmap
import os
import socket
import struct
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alagg import form
from alagg.engine.mss import MEMORY, SegmentLimits
from alagg.engine.segment import cut
from alagg.ports.base import BATCH
from alagg.ports.netlink import SUBSYSTEM, confirm, request
from alagg.ports.timer import Ticker

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

_COUNTERS: Final = (
    "captured", "super_packets", "dropped_oversize", "dropped_malformed", "dropped_queue_full", "dropped_buffer_full",
    "left_alone", "overruns", "failures",
)  # fmt: skip
BIND_AGAIN: Final = 1.0
"""Seconds between two attempts to bind to a queue that was lost."""

_NETLINK_NETFILTER = 12
_SO_RCVBUFFORCE = 33
_PATIENCE = 5.0
"""Seconds for the kernel to answer; it does so before `send` returns."""
_MSG_CONFIG = SUBSYSTEM | 2
_CFG_CMD, _CFG_PARAMS, _CFG_MAX_LENGTH, _CFG_MASK, _CFG_FLAGS = 1, 2, 3, 4, 5
_CMD_BIND = 1
_FLAG_GSO = 4
_COPY_PACKET = 2
_GSO: Final = 2  # NFQA_SKB_GSO
_UNFINISHED: Final = 1 | _GSO  # NFQA_SKB_CSUMNOTREADY

log = logging.getLogger(__name__)


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
        length, size = (SUPER_QUEUE_LENGTH, SUPER_RECEIVE_BUFFER) if super_packets else (QUEUE_LENGTH, RECEIVE_BUFFER)
        self.failures = 0
        """Reads, verdicts and bindings that the kernel refused."""
        self._told: set[str] = set()
        """What the log has said of them, once each."""
        self._before: Counter[str] = Counter()
        """What was counted before the queue was bound to anew."""
        self._drops = 0, 0
        """What the kernel has dropped, as of the last look."""
        self._listed = False
        """Whether the kernel's list has shown the queue; one that is in it no longer is gone."""
        self._bound = queue, length, size, _FLAG_GSO if super_packets else 0
        self._batch = SUPER_BATCH if super_packets else BATCH
        self._ticker = Ticker(BIND_AGAIN)
        self._lost = False
        """Whether the descriptor is the ticker's, until the queue can be had again."""
        try:
            self._socket = _bind(*self._bound)
        except OSError:
            self._ticker.close()
            raise
        self._port_id = self._socket.getsockname()[0]
        """By what the kernel's list names us."""
        self._reader = Reader(self._socket, self._batch)

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when packets wait."""
        return self._socket.fileno()

    def receive(self) -> list[bytes]:
        """Take the packets that wait, at most a batch.

        A queue that cannot be read, or is gone, is bound to anew; until that works there are none.
        """
        if self._lost:
            self._ticker.take()
            self._bind_again()
            return []
        try:
            packets, infos = self._reader.read()
        except OSError as error:
            self._fail("cannot be read", error)
            self._bind_again()
            return []
        if self._reader.disowned:
            self._fail("is gone", OSError(errno.ENODEV, os.strerror(errno.ENODEV)))
            self._bind_again()
        if any(infos):
            return self._segments(packets, infos)
        return packets

    def settle(self) -> None:
        """Have the kernel drop what was received: it is ours. A refusal is made up for by the next verdict."""
        try:
            self._reader.settle(self.queue)
        except OSError as error:
            self._fail("takes no verdict", error)

    def counters(self) -> dict[str, int]:
        """Give every counter, with the kernel's own: packets it dropped because we were too slow."""
        drops = self._kernel_drops()
        if drops is None and self._listed:
            self._fail("is gone", OSError(errno.ENODEV, os.strerror(errno.ENODEV)))
            self._bind_again()
        counted = self._before + self._counted(drops or (0, 0))
        counted.update(captured=self._segments_more, super_packets=self.super_packets, failures=self.failures)
        return {name: counted[name] for name in _COUNTERS}

    def close(self) -> None:
        """Leave the queue; packets that still wait in it are dropped by the kernel."""
        self._socket.close()
        self._ticker.close()
        self._listed = False

    def _counted(self, drops: tuple[int, int]) -> Counter[str]:
        """Give what was counted since the queue was bound to."""
        reader = self._reader
        return Counter({
            "captured": reader.captured,
            "dropped_oversize": reader.dropped_oversize,
            "dropped_malformed": reader.dropped_malformed,
            "dropped_queue_full": drops[0],
            "dropped_buffer_full": drops[1],
            "left_alone": reader.left_alone,
            "overruns": reader.overruns,
        })

    def _fail(self, what: str, error: OSError) -> None:
        """Count a refusal, and tell each kind once."""
        self.failures += 1
        text = f"NFQUEUE {self.queue} {what}: {error.strerror or error}"
        if text not in self._told:
            self._told.add(text)
            log.error(text)

    def _bind_again(self) -> None:
        """Bind to the queue anew, behind the same descriptor; until that works it becomes readable now and then."""
        if self._socket.fileno() < 0:
            return
        if not self._lost:
            self._before += self._counted(self._drops)
            self._reader = Reader(self._socket, self._batch)
            self._drops, self._listed, self._lost = (0, 0), False, True
            os.dup2(self._ticker.fileno(), self._socket.fileno(), inheritable=False)
        try:
            with _bind(*self._bound) as bound:
                os.dup2(bound.fileno(), self._socket.fileno(), inheritable=False)
        except OSError as error:
            self._fail("cannot be bound to again", error)
        else:
            self._lost = False
            self._port_id = self._socket.getsockname()[0]
            log.warning("NFQUEUE %d is bound to again", self.queue)

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

    def _kernel_drops(self) -> tuple[int, int] | None:
        """Read how many packets found the queue full, and how many the netlink socket; None when it is not ours."""
        try:
            lines = PROC_FILE.read_text().splitlines()
        except OSError:
            return self._drops
        for fields in map(str.split, lines):
            if (int(fields[0]), int(fields[1])) == (self.queue, self._port_id):
                self._drops, self._listed = (int(fields[5]), int(fields[6])), True
                return self._drops
        return None


def _bind(queue: int, length: int, size: int, flags: int) -> socket.socket:
    """Give a netlink socket that a queue's packets come to; the queue is left when it closes.

    Args:
        queue: the queue's number.
        length: packets that the queue holds.
        size: bytes of the socket's buffer.
        flags: what the kernel is to do differently (NFQA_CFG_F_…).

    Raises:
        OSError: the kernel refuses.
    """
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_NETFILTER)
    try:
        opened.bind((0, 0))
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, size)
        opened.settimeout(_PATIENCE)
        # All in one message: no packet comes before the kernel knows that it is wanted whole.
        opened.send(request(
            _MSG_CONFIG, queue,
            (_CFG_CMD, struct.pack("!BxH", _CMD_BIND, socket.AF_UNSPEC)),
            (_CFG_PARAMS, struct.pack("!IB", 0xFFFF, _COPY_PACKET)),
            (_CFG_MAX_LENGTH, struct.pack("!I", length)),
            (_CFG_FLAGS, struct.pack("!I", flags)), (_CFG_MASK, struct.pack("!I", flags)),
            acknowledge=True,
        ))  # fmt: skip
        confirm(opened)
        opened.setblocking(False)
    except BaseException:
        opened.close()
        raise
    return opened
