"""Late: for peers with links that have a rate, packets wait here and are given to a link only when it has room.

Captured packets are classified (there is one class yet), wait in a fair queue, and get their numbers when the
scheduler has found links with room for them; each link's pacer then lets them go. What a link that goes has not sent
yet goes over the others, with the numbers that it has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.crc import crc32c
from alagg.engine.flowqueue import TARGET, Budget, FlowQueue
from alagg.engine.fragment import split
from alagg.engine.gauge import Clock, Gauge
from alagg.engine.pacer import FRAME, RETRY, Numbered, Pacer
from alagg.engine.sequence import MASK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alagg.engine.control import Report
    from alagg.engine.link import Link
    from alagg.engine.sender import Sender

LONGEST: Final = 0.2
"""Seconds of packets that may wait, at the rate of all links; CoDel keeps it far below that."""
LEAST: Final = 1 << 16
"""Bytes that may always wait."""
FRAMES: Final = 4
"""Frames on the slowest link that a wait may last without being called standing: some of it is waiting for that link
(RFC 8289, section 4.2: not below what one packet takes), but ..."""
LONGEST_TARGET: Final = 0.02
"""... no more than so many seconds."""
MOST: Final = 1 << 22
"""Bytes that may wait where a link has no rate."""


class Late:
    """The sender's way for a peer with paced links."""

    def __init__(self, sender: Sender, budget: Budget) -> None:
        """Take whose numbers and counters are used, and the bytes that all peers share."""
        self.queue = FlowQueue(budget)
        self.due = float("inf")
        """The time at which `pump` has something to do."""
        self.pacers: dict[Link, Pacer] = {}
        self._sender = sender
        self._pieces: list[tuple[bytes, int, int]] = []
        """What is left of the packet whose turn it is, the last piece first."""
        self._back: list[Numbered] = []
        """What links had not sent yet that went, or are held back, the last number first."""
        self._now = 0.0
        self._clock = Clock()

    @property
    def waiting(self) -> int:
        """Packets that wait, or of which a piece does."""
        return self.queue.packets + bool(self._pieces)

    def set_rates(self, rates: Mapping[Link, tuple[float, int]]) -> None:
        """Take the peer's links, their rates in bytes per second (0: none), and what comes before our headers."""
        for link in [link for link in self.pacers if link not in rates]:
            self._take_back(self.pacers.pop(link))
        for link, (rate, overhead) in rates.items():
            pacer = self.pacers.setdefault(link, Pacer(link))
            pacer.rate, pacer.overhead, pacer.limit = rate, overhead, rate
            if not self._sender.scheduler.measures:
                pacer.gauge = None
            elif pacer.gauge is None:
                pacer.gauge = Gauge(link, self._clock)
        paced = [rate for rate, _ in rates.values()]
        self.queue.limit = max(LEAST, int(sum(paced) * LONGEST)) if all(paced) else MOST
        slowest = min([rate for rate in paced if rate], default=float("inf"))
        self.queue.target = max(TARGET, min(FRAMES * FRAME / slowest, LONGEST_TARGET))
        self.due = 0.0

    def send(self, packets: list[bytes], links: Sequence[Link], room: int, now: float) -> None:
        """Take captured packets."""
        self.queue.put(packets, now)
        self.pump(links, room, now)

    def pump(self, links: Sequence[Link], room: int, now: float) -> None:
        """Give links what they have room for, and let go what may leave by now; others hand back what they hold."""
        self._now = now
        pacers = [self.pacers[link] for link in links if link in self.pacers]
        for link, pacer in self.pacers.items():
            if link not in links:
                self._take_back(pacer)
        if not pacers or room <= 0:
            self._give_up()
            return
        scheduler = self._sender.scheduler
        if self._sender.scheduler.measures:
            self._follow(pacers, now)
        while (one := self._next(room, now)) is not None:
            scheduler.waiting, scheduler.urgent = self.queue.bytes, self.queue.urgent
            chosen = scheduler.pick(pacers, len(one[0]), now)
            if not chosen:
                break
            self._give(chosen)
        else:
            scheduler.idle(now)
        for pacer in pacers:
            pacer.release(self._sender.epoch, now)
        self._find_due()

    def learn(self, link: Link, report: Report, now: float) -> None:
        """Take a report of the peer that can be true."""
        pacer = self.pacers.get(link)
        if pacer is None or pacer.gauge is None:
            return
        pacer.gauge.take(report, now)
        self._sender.due = self.due = min(self.due, now)

    def _follow(self, pacers: Sequence[Pacer], now: float) -> None:
        """Go by what was measured."""
        total = 0.0
        for pacer in pacers:
            pacer.follow(now)
            total += pacer.rate
        self.queue.limit = max(LEAST, int(total * LONGEST))
        self.queue.target = TARGET + self._sender.scheduler.skew

    def settle(self) -> None:
        """Take back what ports had no room for."""
        for pacer in self.pacers.values():
            pacer.settle(self._now)
        self._find_due()

    def clear(self) -> None:
        """Forget all that waits: the peer goes."""
        self.queue.clear()

    def _next(self, room: int, now: float) -> tuple[bytes, int, int] | None:
        """Give the piece whose turn it is, and leave it there."""
        if self._back:
            one = self._back[-1]
            return one.payload, one.piece, one.last_piece
        while not self._pieces:
            packet = self.queue.take(now)
            if packet is None:
                return None
            self._cut(packet, room)
        return self._pieces[-1]

    def _cut(self, packet: bytes, room: int) -> None:
        if len(packet) <= room:
            self._pieces = [(packet, 0, 0)]
            return
        try:
            parts = split(packet, room)
        except ValueError:
            self._sender.dropped_too_big += 1
            return
        self._sender.split += 1
        self._pieces = [(part, piece, len(parts) - 1) for piece, part in enumerate(parts)][::-1]

    def _give(self, chosen: Sequence[Pacer]) -> None:
        """Number the piece whose turn it is, unless it has its number already, and give it to links."""
        sender = self._sender
        if self._back:
            held = self._back.pop()
        else:
            payload, piece, last_piece = self._pieces.pop()
            held = Numbered(payload, sender.sequence, piece, last_piece, crc32c(0, payload, 0, len(payload)))
            sender.sequence = (sender.sequence + 1) & MASK
            sender.sent += not self._pieces
        for pacer in chosen:
            pacer.hold(held)

    def _give_up(self) -> None:
        """Drop what waits: there is no link to send it on."""
        sender, begun = self._sender, None
        if self._pieces:  # of it some pieces may have been given already; it never counted as sent
            begun = (sender.sequence - self._pieces[-1][1]) & MASK
        counted = {(one.sequence - one.piece) & MASK for one in self._back if not one.left} - {begun}
        sender.sent -= len(counted)
        sender.dropped_no_link += self.queue.clear() + bool(self._pieces) + len(counted)
        self._pieces, self._back = [], []
        self.due = float("inf")

    def _take_back(self, pacer: Pacer) -> None:
        """Have what a link has not sent go over others, in the order of its numbers."""
        held = pacer.take_back()
        if held:
            self._back = [*reversed(held), *self._back]

    def _find_due(self) -> None:
        times = [pacer.due(self._now) for pacer in self.pacers.values() if pacer.link.open]
        self.due = min(times, default=float("inf"))
        if self._sender.scheduler.measures and self.waiting + len(self._back):
            self.due = min(self.due, self._now + RETRY)
