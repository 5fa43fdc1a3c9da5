"""Two connections in virtual time, joined by wires with a rate, a latency, pauses and an end."""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import TYPE_CHECKING

from alagg.stream.core.connection import Connection
from alagg.stream.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.stream.core.link import Link

MEGA = 1_000_000
SOCKET = 1 << 17
"""Bytes that a wire takes before it says that it is full, as a socket's buffer."""
PATTERN = Random(7).randbytes(1 << 16)


class Clock:
    """Virtual time and what is to happen."""

    def __init__(self) -> None:
        self.now = 0.0
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()

    def at(self, time: float, action: Callable[[], None]) -> None:
        heappush(self._waiting, (max(time, self.now), next(self._numbers), action))

    def step(self) -> bool:
        if not self._waiting:
            return False
        self.now, _, action = heappop(self._waiting)
        action()
        return True

    @property
    def next(self) -> float:
        return self._waiting[0][0] if self._waiting else float("inf")


class Wire:
    """One direction of a link."""

    def __init__(self, clock: Clock, rate: float | None, latency: float, deliver: Callable[[bytes], None]) -> None:
        self.clock = clock
        self.rate = rate
        self.latency = latency
        self.deliver = deliver
        self.dead = False
        self.paused = False
        self.waiting = 0
        self._queue: deque[bytes] = deque()
        self._busy = False

    def put(self, data: bytes) -> None:
        size = max(min(int((self.rate or MEGA * 100) * 0.005), 1 << 16), 512)
        self._queue.extend(data[at : at + size] for at in range(0, len(data), size))
        self.waiting += len(data)
        self._go()

    def resume(self) -> None:
        self.paused = False
        self._go()

    def _go(self) -> None:
        if self._queue and not (self._busy or self.paused or self.dead):
            piece = self._queue.popleft()
            self._busy = True
            time = len(piece) / self.rate if self.rate else 0.0
            self.clock.at(self.clock.now + time, lambda: self._sent(piece))

    def _sent(self, piece: bytes) -> None:
        self._busy = False
        self.waiting -= len(piece)
        self.clock.at(self.clock.now + self.latency, lambda: None if self.dead else self.deliver(piece))
        self._go()


class Cable:
    """A link of both sides with its two wires."""

    def __init__(self, net: Net, name: str, rate: float | None, latency: float) -> None:
        self.net = net
        self.name = name
        self.links: list[Link] = []
        self.wires: list[Wire] = []
        for side in (0, 1):
            self.links.append(net.sides[side].connection.add_link(name, net.clock.now))
            self.wires.append(Wire(net.clock, rate, latency, self._receiver(1 - side)))

    def _receiver(self, side: int) -> Callable[[bytes], None]:
        def receive(data: bytes) -> None:
            self.net.sides[side].connection.receive(self.links[side], data, self.net.clock.now)

        return receive

    def pause(self) -> None:
        for wire in self.wires:
            wire.paused = True

    def resume(self) -> None:
        for wire in self.wires:
            wire.resume()

    def fail(self) -> None:
        """Break at once: each side hears of it after the latency."""
        for wire in self.wires:
            wire.dead = True
        for side in (0, 1):
            connection, link = self.net.sides[side].connection, self.links[side]
            self.net.clock.at(
                self.net.clock.now + self.wires[0].latency,
                lambda c=connection, k=link: c.lost(k, "broken", self.net.clock.now),  # type: ignore[misc]
            )


class Side:
    """A connection with a program that writes a pattern and reads one."""

    def __init__(self, settings: Settings, now: float) -> None:
        self.connection = Connection(settings, now)
        self.to_write = 0
        self.written = 0
        self.end_after = True
        self.read = 0
        self.wrong = 0
        self.reads = True
        self.last_read_at = now
        self.longest_gap = 0.0
        self.alarm = float("inf")

    def program(self, now: float) -> None:
        """Write while there is little unsent, and read all."""
        connection = self.connection
        while self.written < self.to_write and connection.outgoing.unsent < 1 << 18 and not connection.ended:
            at = self.written % len(PATTERN)
            piece = PATTERN[at : at + min(len(PATTERN) - at, self.to_write - self.written)]
            connection.write(piece)
            self.written += len(piece)
        if self.written == self.to_write and self.end_after and not connection.outgoing.ending:
            connection.write_eof()
        if self.reads and connection.error is None:
            while data := connection.read(1 << 20, now):
                self.check(data, now)

    def check(self, data: bytes, now: float) -> None:
        at = self.read % len(PATTERN)
        expected = (PATTERN[at:] + PATTERN * (len(data) // len(PATTERN) + 1))[: len(data)]
        self.wrong += data != expected
        self.read += len(data)
        self.longest_gap = max(self.longest_gap, now - self.last_read_at)
        self.last_read_at = now


class Net:
    """Two sides, their cables, and one clock."""

    def __init__(self, settings: Settings | None = None, *, end_after: bool = True) -> None:
        self.clock = Clock()
        self.sides = [Side(settings or Settings(), 0.0) for _ in (0, 1)]
        self.cables: list[Cable] = []
        for side in self.sides:
            side.end_after = end_after

    def cable(self, rate: float | None = None, latency: float = 0.001, name: str = "") -> Cable:
        cable = Cable(self, name or f"link{len(self.cables)}", rate, latency)
        self.cables.append(cable)
        return cable

    def add_cable(self) -> None:
        """Add a cable, as an action of the clock."""
        self.cable()

    def pump(self) -> None:
        """Let both programs and connections do all that they can at this moment."""
        for number, side in enumerate(self.sides):
            while True:
                for cable in self.cables:
                    cable.links[number].writable = cable.wires[number].waiting < SOCKET
                side.program(self.clock.now)
                output = side.connection.transmit(self.clock.now)
                for link, data in output:
                    self._wire(number, link).put(data)
                if not output:
                    break
            self._arm(side)

    def _wire(self, number: int, link: Link) -> Wire:
        return next(cable.wires[number] for cable in self.cables if cable.links[number] is link)

    def _arm(self, side: Side) -> None:
        time = side.connection.timer()
        if time is not None and time < side.alarm:
            side.alarm = time
            self.clock.at(time, lambda: self._ring(side))

    def _ring(self, side: Side) -> None:
        side.alarm = float("inf")
        if (time := side.connection.timer()) is not None and time <= self.clock.now:
            side.connection.handle_timer(self.clock.now)

    def run(self, until: float) -> None:
        """Go on until both have ended, or until that time."""
        self.pump()
        while self.clock.next <= until and not all(side.connection.over for side in self.sides):
            self.clock.step()
            while self.clock.next <= self.clock.now:
                self.clock.step()
            self.pump()
        if self.clock.next > until:
            self.clock.now = until

    def transfer(self, size: int, back: int = 0, until: float = 600.0) -> float:
        """Have the sides write that many bytes; give the time when both have ended."""
        self.sides[0].to_write, self.sides[1].to_write = size, back
        self.run(until)
        return self.clock.now

    def check(self) -> None:
        """Assert that all has arrived as it was written, and that both ended in good order."""
        for side, other in ((0, 1), (1, 0)):
            here, there = self.sides[side], self.sides[other]
            assert here.connection.ended, f"side {side} hangs: {here.read} of {there.to_write}"
            assert here.connection.error is None, here.connection.error
            assert (here.read, here.wrong) == (there.to_write, 0)
