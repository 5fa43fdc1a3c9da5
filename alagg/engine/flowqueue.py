"""Flow queue: packets that wait for a link with room, fair between flows, none standing for long.

Flows are served in turns by bytes, those that have just begun first (RFC 8290, FQ-CoDel). Whoever keeps a queue
standing has its oldest packets marked or dropped, more of them as time goes on (RFC 8289, CoDel). What finds no place
makes room at the expense of the longest flow. Each packet has one fate: taken, or dropped with a name.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Final

from alagg.engine.crc import crc32c
from alagg.engine.ecn import marked

if TYPE_CHECKING:
    from collections.abc import Sequence

FLOWS: Final = 64
"""Queues that flows are hashed to."""
QUANTUM: Final = 1514
"""Bytes of one turn."""
TARGET: Final = 0.005
"""Seconds that a packet may wait without the queue being called standing (RFC 8289, section 4.2)."""
INTERVAL: Final = 0.1
"""Seconds that it has to stand before the first packet is dropped (section 4.3)."""
SMALL: Final = 1514
"""Bytes that may always stand: one packet is no queue."""
NODE_BYTES: Final = 64 << 20
"""Bytes that may wait in one worker, for all peers."""

_FRAGMENT: Final = 0x3FFF
_IPV4: Final = 20
_IPV6: Final = 40


class Budget:
    """Bytes that all queues of a worker share."""

    def __init__(self, limit: int = NODE_BYTES) -> None:
        """Take how many bytes may wait."""
        self.limit = limit
        self.used = 0


class FlowQueue:
    """The packets of one class for one peer."""

    def __init__(self, budget: Budget) -> None:
        """Take what all peers share."""
        self.limit = 1 << 22
        """Bytes that may wait."""
        self.target = TARGET
        """Seconds that packets may wait for long."""
        self.bytes = 0
        self.packets = 0
        self.dropped_full = 0
        """Packets that found no place, or had to make it."""
        self.dropped_delay = 0
        """Packets of flows that kept a queue standing."""
        self.marked = 0
        """Packets of such flows that understand ECN, and went on with the mark."""
        self.urgent = False
        """Whether what was taken last is one of few of its flow, which had not waited for its turn."""
        self._budget = budget
        self._flows = [Flow() for _ in range(FLOWS)]
        self._new: deque[Flow] = deque()
        self._old: deque[Flow] = deque()

    def put(self, packets: Sequence[bytes], now: float) -> None:
        """Have packets wait."""
        for packet in packets:
            flow = self._flows[flow_hash(packet) % FLOWS]
            flow.packets.append((now, packet))
            flow.bytes += len(packet)
            self._count(1, len(packet))
            if not flow.active:
                flow.active, flow.deficit = True, QUANTUM
                self._new.append(flow)
            while self.packets and (self.bytes > self.limit or self._budget.used > self._budget.limit):
                self._make_room()

    def take(self, now: float) -> bytes | None:
        """Give the packet whose turn it is; None when none waits."""
        while self._new or self._old:
            turns = self._new or self._old
            flow = turns[0]
            if flow.deficit <= 0:
                flow.deficit += QUANTUM
                self._old.append(turns.popleft())
                continue
            packet = self._from(flow, now)
            if packet is not None:
                flow.deficit -= len(packet)
                self.urgent = turns is self._new and not flow.packets
                return packet
            turns.popleft()
            if turns is self._new and self._old:
                self._old.append(flow)  # else it could come first again and again (RFC 8290, section 4.2)
            else:
                flow.active = False
        return None

    def clear(self) -> int:
        """Forget all that waits; give how many packets that were."""
        count = self.packets
        for flow in self._flows:
            flow.__init__()  # type: ignore[misc]
        self._new.clear()
        self._old.clear()
        self._count(-self.packets, -self.bytes)
        return count

    def _count(self, packets: int, size: int) -> None:
        self.packets += packets
        self.bytes += size
        self._budget.used += size

    def _make_room(self) -> None:
        """Drop the oldest packet of the longest flow."""
        longest = max(self._flows, key=lambda flow: flow.bytes)
        _, packet = longest.pop()
        self._count(-1, -len(packet))
        self.dropped_full += 1

    def _from(self, flow: Flow, now: float) -> bytes | None:
        """Take a flow's next packet, after those that CoDel drops."""
        while flow.packets:
            since, packet = flow.pop()
            self._count(-1, -len(packet))
            if not flow.stands(now - since, self.target, now):
                return packet
            with_mark = marked(packet)
            if with_mark is not None:
                self.marked += 1
                return with_mark
            self.dropped_delay += 1
        flow.stands(0.0, self.target, now)
        return None


class Flow:
    """The packets of the flows that share a hash, and what CoDel knows of them."""

    def __init__(self) -> None:
        """Begin empty."""
        self.packets: deque[tuple[float, bytes]] = deque()
        """When each came, and the packet."""
        self.bytes = 0
        self.deficit = 0
        """Bytes that it may still send in its turn."""
        self.active = False
        """Whether it is among those that have turns."""
        self._above_until = 0.0
        """When the wait will have been too long for an interval; 0 while it is not."""
        self._dropping = False
        self._drop_next = 0.0
        self._count = 0
        """Packets dropped since dropping began."""

    def pop(self) -> tuple[float, bytes]:
        """Take the oldest packet."""
        since, packet = self.packets.popleft()
        self.bytes -= len(packet)
        return since, packet

    def stands(self, wait: float, target: float, now: float) -> bool:
        """Tell whether a packet that has waited so long is to be marked or dropped (RFC 8289, section 5)."""
        too_long = self._too_long(wait, target, now)
        if not too_long:
            self._dropping = False
            return False
        if self._dropping:
            if now < self._drop_next:
                return False
            self._count += 1
            self._drop_next += _pause(self._count)
            return True
        # Dropping begins again where it was, if that was not long ago.
        recently = now - self._drop_next < 16 * INTERVAL
        self._count = self._count - 2 if recently and self._count > 2 else 1
        self._dropping, self._drop_next = True, now + _pause(self._count)
        return True

    def _too_long(self, wait: float, target: float, now: float) -> bool:
        if wait < target or self.bytes <= SMALL:
            self._above_until = 0.0
            return False
        if not self._above_until:
            self._above_until = now + INTERVAL
            return False
        return now >= self._above_until


def _pause(count: int) -> float:
    """Give the seconds until the next drop: the control law of RFC 8289, section 5.1."""
    return INTERVAL / math.sqrt(count)


def flow_hash(packet: bytes) -> int:
    """Give a number that the packets of a flow share: of addresses, protocol and, where they have them, ports."""
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= _IPV4:
        at = (packet[0] & 15) * 4
        found = crc32c(packet[9], packet, 12, 20)
        is_fragment = int.from_bytes(packet[6:8], "big") & _FRAGMENT
        return found if is_fragment or len(packet) < at + 4 else crc32c(found, packet, at, at + 4)
    if version == 6 and len(packet) >= _IPV6:
        found = crc32c(packet[6], packet, 8, 40)
        return crc32c(found, packet, 40, 44) if len(packet) >= _IPV6 + 4 else found
    return 0
