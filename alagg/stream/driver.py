"""Drives a connection's core by the event loop: bytes, time and carriers in, bytes and events out."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from alagg.stream.core.connection import MAX_EVENTS
from alagg.stream.core.connection import Connection as Core
from alagg.stream.core.link import DOWN

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from alagg.stream.core.connection import Event as Told
    from alagg.stream.core.link import Link
    from alagg.stream.core.settings import Settings

    class Face(Protocol):
        """What a program holds: `alagg.stream.transport.Transport`, `alagg.stream.anyio.Stream`."""

        def deliver(self) -> None:
            """Give the program what has come, or say that there is something."""

        def follow(self) -> None:
            """Let the program write again where enough has left."""

    class Handle(Protocol):
        """Something that will be called."""

        def cancel(self) -> None:
            """Do not call it."""

    class Loop(Protocol):
        """What calls the driver: asyncio's loop, or `alagg.stream.anyio.loop.Loop`."""

        def time(self) -> float:
            """Give seconds."""

        def call_soon(self, callback: Callable[[], None]) -> Handle:
            """Call in the next round."""

        def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
            """Call at a time."""

    class Event(Protocol):
        """`asyncio.Event`, or `anyio.Event`."""

        def set(self) -> object:
            """Wake who waits."""

        def is_set(self) -> bool:
            """Tell whether it is."""

        async def wait(self) -> object:
            """Wait until it is set."""

    class End(Protocol):
        """Whether, and why, a link is over; `asyncio.Future` is one."""

        def done(self) -> bool:
            """Tell whether it is over."""

        def result(self) -> str:
            """Give why."""

    class Bearer(Protocol):
        """What moves one link's bytes."""

        writable: bool
        driver: Driver | None

        @property
        def gone(self) -> End:
            """Why it is over, once it is."""

        def attach(self, driver: Driver) -> bytes:
            """Have a connection get what comes from now on; give what came already."""

        def write(self, data: bytes) -> None:
            """Send."""

        def close(self) -> None:
            """Close, after what was written."""

        def abort(self) -> None:
            """Close at once."""

        def describe(self) -> str:
            """Give the other end's address, in words."""


class Driver:
    """The I/O of one connection."""

    def __init__(
        self, settings: Settings, loop: Loop | None = None, event: Callable[[], Event] = asyncio.Event
    ) -> None:
        """Begin without links; `loop` calls it, and `event` makes what its program waits for."""
        self.loop: Loop = asyncio.get_running_loop() if loop is None else loop
        self._event = event
        self.core = Core(settings, self.loop.time())
        self.transport: Face | None = None
        self.over = event()
        """Set when there is nothing more to send."""
        self.history: deque[Told] = deque(maxlen=MAX_EVENTS)
        self.listeners: list[deque[Told]] = []
        self.told = event()
        """Set, and made anew, whenever something was told."""
        self._stopped = False
        self._carriers: dict[Link, Bearer] = {}
        self._links: dict[Bearer, Link] = {}
        self._soon: Handle | None = None
        self._alarm: Handle | None = None

    @property
    def now(self) -> float:
        """Give the loop's time, seconds."""
        return self.loop.time()

    def attach(self, name: str, carrier: Bearer) -> Link:
        """Add a link that has joined; where there is nothing to join any more, it is dropped."""
        link = self.core.add_link(name, self.now)
        if self._stopped:
            self.core.lost(link, "the connection has ended", self.now)
            carrier.abort()
            return link
        self._carriers[link], self._links[carrier] = carrier, link
        early = carrier.attach(self)
        if early:
            self.core.receive(link, early, self.now)
        if carrier.gone.done():
            self.core.lost(link, carrier.gone.result(), self.now)
        self.poke()
        return link

    def received(self, carrier: Bearer, data: bytes) -> None:
        """Take what came on a link."""
        link = self._links.get(carrier)
        if link is not None:
            self.core.receive(link, data, self.now)
            self.poke()

    def lost(self, carrier: Bearer, reason: str) -> None:
        """Take note that a link is over."""
        link = self._links.get(carrier)
        if link is not None:
            self.core.lost(link, reason, self.now)
            self.poke()

    def poke(self) -> None:
        """Do soon whatever there is to do; once, however often this is called before."""
        if self._soon is None:
            self._soon = self.loop.call_soon(self._work)

    def _work(self) -> None:
        self._soon = None
        if self.transport is not None:
            self.transport.deliver()
        self._transmit()
        self._tell()
        self._arm()
        if self.transport is not None:
            self.transport.follow()
        if self.core.over:
            self.over.set()

    def _transmit(self) -> None:
        while True:
            for link, carrier in self._carriers.items():
                link.writable = carrier.writable
            output = self.core.transmit(self.now)
            for link, data in output:
                self._carriers[link].write(data)
            if not output:
                break
        for link in [link for link in self._carriers if link.state == DOWN]:
            carrier = self._carriers.pop(link)
            del self._links[carrier]
            carrier.close()

    def _tell(self) -> None:
        if not self.core.events:
            return
        for listener in self.listeners:
            listener.extend(self.core.events)
        self.history.extend(self.core.events)
        self.core.events.clear()
        told, self.told = self.told, self._event()
        told.set()

    def _arm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        time = self.core.timer()
        if time is not None:
            self._alarm = self.loop.call_at(time, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.core.handle_timer(self.now)
        self.poke()

    def stop(self) -> None:
        """Drop everything at once; a connection that lives is aborted."""
        self._stopped = True
        if not self.core.ended:
            self.core.abort("dropped by the program", self.now)
        self._work()
        for handle in (self._soon, self._alarm):
            if handle is not None:
                handle.cancel()
        for carrier in self._links:
            carrier.driver = None
            carrier.abort()
        self._links.clear()
        self._carriers.clear()
        self.over.set()
