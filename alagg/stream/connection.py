"""A connection as a program holds it: reader and writer of asyncio, its links, and what happens to them."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Final

from alagg.stream.core.connection import MAX_EVENTS
from alagg.stream.transport import Transport

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from alagg.stream.core.connection import Event
    from alagg.stream.core.errors import StreamError
    from alagg.stream.core.link import Link as CoreLink
    from alagg.stream.core.link import Statistics
    from alagg.stream.driver import Driver
    from alagg.stream.medium import Medium

LIMIT: Final = 1 << 18
"""Bytes that the reader keeps; as many again, and the peer is slowed down."""


class Link:
    """One link of a connection."""

    def __init__(self, driver: Driver, link: CoreLink) -> None:
        """Show a link of the core."""
        self._driver = driver
        self._link = link

    @property
    def name(self) -> str:
        """Give the address that it goes to, or comes from."""
        return self._link.name

    @property
    def state(self) -> str:
        """Give `new`, `up`, `wary`, `suspect`, `silent`, `blocked` or `down`."""
        return self._link.state

    @property
    def reason(self) -> str:
        """Give why it is not up, in words."""
        return self._link.reason

    @property
    def statistics(self) -> Statistics:
        """Give what it has done so far."""
        return self._link.statistics

    def block(self) -> None:
        """Have both sides send no more data on it; it stays joined."""
        self._driver.core.block(self._link, self._driver.now)
        self._driver.poke()

    def unblock(self) -> None:
        """Undo `block`."""
        self._driver.core.unblock(self._link, self._driver.now)
        self._driver.poke()

    async def remove(self) -> None:
        """Take it out; what it had not delivered goes on the others. It does not come back by itself."""
        self._driver.core.remove(self._link, self._driver.now)
        self._driver.poke()

    def __repr__(self) -> str:
        """Show name and state."""
        return f"<Link {self.name}: {self.state}{f', {self.reason}' if self.reason else ''}>"


async def events_of(driver: Driver) -> AsyncGenerator[Event, None]:
    """Give what has happened to a connection, the latest thousand, then what happens; it ends with `ended`."""
    waiting: deque[Event] = deque(driver.history, maxlen=MAX_EVENTS)
    driver.listeners.append(waiting)
    try:
        while True:
            while waiting:
                event = waiting.popleft()
                yield event
                if event.kind == "ended":
                    return
            await driver.told.wait()
    finally:
        # By identity: equal histories are not the same listener.
        driver.listeners[:] = [one for one in driver.listeners if one is not waiting]


class Connection:
    """One reliable, ordered stream of bytes each way, over any number of links."""

    def __init__(self, driver: Driver, add: Callable[[str | Medium], Awaitable[None]] | None = None) -> None:
        """Hold a connection; `add` opens a link to an address, on the side that can."""
        self._driver = driver
        self._add = add
        self.reader = asyncio.StreamReader(LIMIT)
        """Reads what the peer sends."""
        protocol = asyncio.StreamReaderProtocol(self.reader)
        transport = Transport(driver, protocol, {"links": lambda: self.links})
        self.writer = asyncio.StreamWriter(transport, protocol, self.reader, asyncio.get_running_loop())
        """Sends to the peer: `write`, `await drain()`, `write_eof`, `get_extra_info("links")`."""

    @property
    def links(self) -> list[Link]:
        """Give the links that there are now."""
        return [Link(self._driver, link) for link in self._driver.core.links]

    @property
    def error(self) -> StreamError | None:
        """Give why it ended, if not in good order."""
        return self._driver.core.error

    async def add(self, address: str | Medium) -> None:
        """Open a further link, and come back when it has joined; from then on it is kept as those of `connect`.

        Raises:
            ValueError: the address is none.
            NoLinks: the first attempt failed.
            RuntimeError: this side did not connect, so it does not know how to reach the other one.
        """
        if self._add is None:
            raise RuntimeError("only the side that connected can add links")
        await self._add(address)

    def events(self) -> AsyncGenerator[Event, None]:
        """Give what has happened to the links and the connection, the latest thousand, then what happens.

        A program that is slow to ask misses the oldest ones. It ends with `ended`.
        """
        return events_of(self._driver)

    def abort(self) -> None:
        """End it at once, and tell the peer so."""
        self.writer.transport.abort()

    async def close(self) -> None:
        """Send what was written, end this direction, throw away what comes, and wait for the peer to end, too.

        A peer that does not is waited for no longer than `Settings.linger` after it has got everything.

        Raises:
            StreamError: the connection ended otherwise, so something may not have arrived.
        """
        self.writer.transport.close()
        core = self._driver.core
        while not core.ended:
            await self._driver.told.wait()
        try:
            await asyncio.wait_for(self._driver.over.wait(), core.settings.linger)
        except asyncio.TimeoutError:
            self._driver.stop()
        if core.error is not None:
            raise core.error
