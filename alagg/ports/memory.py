"""In-process twins of the edges: a port, a capture and an injector without a kernel behind them.

They keep to the interfaces of `alagg.ports.base`, descriptors included, so that a real poll loop runs on them.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from itertools import groupby
from typing import TYPE_CHECKING, Generic, TypeVar

from alagg.ports.base import BATCH, arrival, whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from alagg.ports.base import Arrival

Item = TypeVar("Item")


class _Queue(Generic[Item]):
    """A bounded queue whose descriptor is readable while something waits in it."""

    def __init__(self, capacity: int) -> None:
        self._items: deque[Item] = deque()
        self._capacity = capacity
        self._event = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._signalled = False

    def __len__(self) -> int:
        return len(self._items)

    def fileno(self) -> int:
        return self._event

    def put(self, item: Item) -> bool:
        """Append an item; give False, and keep the older ones, when the queue is full."""
        if self._event < 0 or len(self._items) >= self._capacity:
            return False
        self._items.append(item)
        self.signal()
        return True

    def take(self) -> list[Item]:
        items = [self._items.popleft() for _ in range(min(BATCH, len(self._items)))]
        if not self._items:
            self._unsignal()
        return items

    def signal(self) -> None:
        """Make the descriptor readable."""
        if not self._signalled and self._event >= 0:
            os.eventfd_write(self._event, 1)
            self._signalled = True

    def _unsignal(self) -> None:
        if self._signalled:
            os.eventfd_read(self._event)
            self._signalled = False

    def close(self) -> None:
        if self._event >= 0:
            os.close(self._event)
            self._event = -1
            self._signalled = False
            self._items.clear()


class MemoryPort:
    """One end of a link in memory; `pair` makes both.

    The link behaves like an Ethernet link with a large transmit queue and a bounded receive buffer: frames that find
    the other end's buffer full, its port down or closed are gone, and counted on the end that sent them.
    """

    def __init__(self, mtu: int = 1500, address: bytes = bytes(6), capacity: int = 4096) -> None:
        """Make an end that leads nowhere yet.

        Args:
            mtu: bytes of the largest frame; can be changed later.
            address: where frames from here come from, for the other end.
            capacity: frames that wait for `receive` at most.
        """
        self.mtu = mtu
        self.address = address
        self.peer: MemoryPort | None = None
        self.room: int | None = None
        """How many frames the link still takes before it is full; None for no limit."""
        self.sent = 0
        """Frames taken by `send`, lost ones included."""
        self.refused = 0
        """Frames not taken because the link was full."""
        self.lost = 0
        """Frames taken that never reached the other end's queue."""
        self.received = 0
        """Frames given by `receive`."""
        self.remotes: tuple[bytes, ...] | None = None
        """Whose frames are taken; None for everybody's."""
        self._errno = 0
        self._queue: _Queue[tuple[bytes, bytes]] = _Queue(capacity)

    def fileno(self) -> int:
        """Give the descriptor that is readable while frames wait; -1 while the port is down."""
        return -1 if self._errno else self._queue.fileno()

    def send(self, remote: bytes, headers: bytearray, payloads: list[bytes]) -> int:  # noqa: ARG002
        """Put frames into the other end's queue; see `alagg.ports.base.Port.send`.

        Raises:
            OSError: the port is down, or a frame is larger than `mtu` (EMSGSIZE); the frames before it were sent.
        """
        self._check_up()
        taken = len(payloads) if self.room is None else min(self.room, len(payloads))
        self.refused += len(payloads) - taken
        for frame in whole(headers, payloads, taken):
            self._send_one(frame)
        return taken

    def _send_one(self, frame: bytes) -> None:
        if len(frame) > self.mtu:
            raise OSError(errno.EMSGSIZE, os.strerror(errno.EMSGSIZE))
        if self.room is not None:
            self.room -= 1
        self.sent += 1
        if self.peer is None or not self.peer.deliver(frame, self.address):
            self.lost += 1

    def deliver(self, frame: bytes, remote: bytes) -> bool:
        """Let a frame arrive here as if from the wire; False when it is lost."""
        wanted = self.remotes is None or remote in self.remotes
        return not self._errno and wanted and self._queue.put((remote, frame))

    def receive(self) -> list[Arrival]:
        """Give the frames that wait, at most `BATCH`.

        Raises:
            OSError: the port is down.
        """
        self._check_up()
        items = self._queue.take()
        self.received += len(items)
        return [
            arrival(remote, [frame for _, frame in run]) for remote, run in groupby(items, lambda item: item[0])
        ]

    def set_remotes(self, remotes: Iterable[bytes]) -> None:
        """Take frames from these addresses from now on, and from no others."""
        self.remotes = tuple(remotes)

    def set_own_mac(self, mac: bytes) -> None:
        """Send from this address from now on, if it is known."""
        self.address = mac or self.address

    def bypass_queues(self, *, allowed: bool, reason: str, mtu: int) -> None:
        """Ignore it: there are no queues but our own."""

    @property
    def sends_by(self) -> tuple[str, str]:
        """By memory, since there is nothing else."""
        return "memory", ""

    def fail(self, number: int = errno.ENETDOWN) -> None:
        """Take the port down: from now on `send` and `receive` raise this error.

        The descriptor becomes readable once more, as a socket's does, so that a poller that holds it finds out.
        """
        self._queue.signal()
        self._errno = number

    def recover(self) -> None:
        """Take the port up again; what waited before still waits."""
        self._errno = 0

    def _check_up(self) -> None:
        if self._queue.fileno() < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if self._errno:
            raise OSError(self._errno, os.strerror(self._errno))

    def counters(self) -> dict[str, int]:
        """Give the counters by name."""
        return {"refused": self.refused, "lost": self.lost}

    def close(self) -> None:
        """Give the descriptor back. More calls do nothing."""
        self._queue.close()


def pair(
    mtu: int = 1500, addresses: tuple[bytes, bytes] = (b"memory", b"MEMORY"), capacity: int = 4096
) -> tuple[MemoryPort, MemoryPort]:
    """Make the two ends of a link.

    Args:
        mtu: bytes of the largest frame in both directions.
        addresses: where the frames of each end come from.
        capacity: frames that wait at each end at most.
    """
    one, other = MemoryPort(mtu, addresses[0], capacity), MemoryPort(mtu, addresses[1], capacity)
    one.peer, other.peer = other, one
    return one, other


class MemoryCapture:
    """A capture whose packets come from `put`."""

    def __init__(self, capacity: int = 4096) -> None:
        """Make an empty capture in which at most `capacity` packets wait."""
        self.segment_size = 1280
        self.captured = 0
        """Packets given by `receive`."""
        self.dropped = 0
        """Packets that found the queue full."""
        self.settled = 0
        """Packets of which `settle` was told."""
        self._queue: _Queue[bytes] = _Queue(capacity)

    def put(self, packets: Iterable[bytes]) -> int:
        """Queue packets as the kernel would; give how many found room."""
        kept = [self._queue.put(packet) for packet in packets]
        self.dropped += kept.count(False)
        return kept.count(True)

    def fileno(self) -> int:
        """Give the descriptor that is readable while packets wait; -1 once closed."""
        return self._queue.fileno()

    def receive(self) -> list[bytes]:
        """Take the packets that wait, at most `BATCH`."""
        packets = self._queue.take()
        self.captured += len(packets)
        return packets

    def settle(self) -> None:
        """Note that what was received has been dealt with."""
        self.settled = self.captured

    def counters(self) -> dict[str, int]:
        """Give the counters by name."""
        return {"captured": self.captured, "dropped": self.dropped}

    def close(self) -> None:
        """Give the descriptor back. More calls do nothing."""
        self._queue.close()


class MemoryInjector:
    """An injector that keeps the packets for whoever looks at them; it holds `capacity` of them and refuses more."""

    def __init__(self, capacity: int = 1 << 20) -> None:
        """Make an empty injector."""
        self.packets: list[bytes] = []
        self.capacity = capacity
        self.injected = 0
        """Packets that were taken."""
        self.refused = 0
        """Packets that found no room, or came after `close`."""
        self._closed = False

    def send(self, packets: Sequence[bytes]) -> int:
        """Keep the packets; give how many found room."""
        room = 0 if self._closed else max(0, self.capacity - len(self.packets))
        taken = min(room, len(packets))
        self.packets += packets[:taken]
        self.injected += taken
        self.refused += len(packets) - taken
        return taken

    def take(self) -> list[bytes]:
        """Give the packets injected since the last call, and make room for more."""
        packets, self.packets = self.packets, []
        return packets

    def counters(self) -> dict[str, int]:
        """Give the counters by name."""
        return {"injected": self.injected, "refused": self.refused}

    def close(self) -> None:
        """Take nothing any more. More calls do nothing."""
        self._closed = True
