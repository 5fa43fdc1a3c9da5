"""A connection as a `ByteStream` of anyio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import anyio
from anyio import BrokenResourceError, ClosedResourceError, EndOfStream, TypedAttributeSet, typed_attribute
from anyio.abc import ByteStream

from alagg.stream.connection import Link, events_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

    from alagg.stream.core.connection import Event
    from alagg.stream.core.errors import StreamError
    from alagg.stream.driver import Driver

HIGH: Final = 1 << 18
"""Bytes that were written and not sent, beyond which `send` waits."""


class LinkAttribute(TypedAttributeSet):
    """What `extra` knows besides anyio's own."""

    links: list[Link] = typed_attribute()


class Stream(ByteStream):
    """One reliable, ordered stream of bytes each way, over any number of links.

    What ends it is a `BrokenResourceError` whose cause, which `error` gives as well, has `reason` and
    `should_reconnect`.
    """

    def __init__(self, driver: Driver, add: Callable[[Any], Awaitable[None]] | None = None) -> None:
        """Hold a connection; `add` opens a link to an address, on the side that can."""
        self._driver = driver
        self._core = driver.core
        self._add = add
        self._readable = anyio.Event()
        self._writable = anyio.Event()
        self._receiving = anyio.ResourceGuard("receiving from")
        self._sending = anyio.ResourceGuard("sending to")
        self._closed = False
        driver.transport = self

    # -- what the driver calls

    def deliver(self) -> None:
        """Wake who reads, where there is something to read."""
        core = self._core
        if core.incoming.ready or core.incoming.finished or core.ended:
            self._readable.set()

    def follow(self) -> None:
        """Wake who writes, where there is room."""
        if self._core.outgoing.unsent <= HIGH // 4 or self._core.ended:
            self._writable.set()

    # -- reading

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Give the next bytes, one at least.

        Raises:
            EndOfStream: the peer has ended its direction.
            BrokenResourceError: the connection ended before.
            ClosedResourceError: this stream was closed.
            ValueError: not even one byte is wanted.
        """
        if max_bytes < 1:
            raise ValueError(f"max_bytes is at least 1, not {max_bytes}")
        with self._receiving:
            await anyio.lowlevel.checkpoint()
            while True:
                self._check_open()
                self._check_whole()
                if data := self._core.read(max_bytes, self._driver.now):
                    self._driver.poke()
                    return data
                if self._core.incoming.finished:
                    raise EndOfStream
                self._readable = anyio.Event()
                await self._readable.wait()

    # -- writing

    async def send(self, item: bytes) -> None:
        """Take bytes to send; comes back when there is room for more. Cancelled, it may have taken them.

        Raises:
            BrokenResourceError: the connection has ended.
            ClosedResourceError: this stream, or its direction, was closed.
        """
        with self._sending:
            await anyio.lowlevel.checkpoint()
            self._check_open()
            self._check_whole()
            try:
                self._core.write(bytes(item))
            except BrokenPipeError as error:
                raise ClosedResourceError from error
            self._driver.poke()
            while self._core.outgoing.unsent > HIGH and not self._core.ended:
                self._writable = anyio.Event()
                await self._writable.wait()
            if not self._closed:
                self._check_whole()

    async def send_eof(self) -> None:
        """End this direction, after what was written; the other one goes on."""
        with self._sending:
            await anyio.lowlevel.checkpoint()
            self._check_open()
            self._core.write_eof()
            self._driver.poke()

    def _check_open(self) -> None:
        if self._closed:
            raise ClosedResourceError

    def _check_whole(self) -> None:
        if self._core.error is not None:
            raise self._broken()

    def _broken(self) -> BrokenResourceError:
        broken = BrokenResourceError(str(self._core.error))
        broken.__cause__ = self._core.error
        return broken

    # -- the end

    async def aclose(self) -> None:
        """Send what was written, end this direction, and wait for the peer to end, too; cancelled, abort.

        A peer that does not is waited for no longer than `Settings.linger` after it has got everything.

        Raises:
            BrokenResourceError: the connection ended otherwise, so something may not have arrived.
        """
        if self._closed:
            await anyio.lowlevel.checkpoint()
            return
        self._closed = True
        self._wake()
        failed_before = self._core.error is not None
        try:
            await self._close()
        except BaseException:
            self.abort()
            raise
        if self._core.error is not None and not failed_before:
            raise self._broken()

    async def _close(self) -> None:
        core, driver = self._core, self._driver
        if not core.closed:
            core.close(driver.now)
            driver.poke()
        await anyio.lowlevel.checkpoint()
        while not core.ended:
            await driver.told.wait()
        with anyio.move_on_after(core.settings.linger):
            await driver.over.wait()
        driver.stop()

    def abort(self) -> None:
        """End it at once, and tell the peer so."""
        self._closed = True
        self._core.abort("aborted by the program", self._driver.now)
        self._driver.poke()
        self._wake()

    def _wake(self) -> None:
        self._readable.set()
        self._writable.set()

    # -- links

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """Give what `extra` knows."""
        return {LinkAttribute.links: lambda: self.links}

    @property
    def links(self) -> list[Link]:
        """Give the links that there are now."""
        return [Link(self._driver, link) for link in self._core.links]

    @property
    def error(self) -> StreamError | None:
        """Give why it ended, if not in good order."""
        return self._core.error

    def events(self) -> AsyncGenerator[Event, None]:
        """Give what has happened to the links and the connection, the latest thousand, then what happens."""
        return events_of(self._driver)

    async def add(self, place: Any) -> None:
        """Open a further link, and come back when it has joined; from then on it is kept as those of `connect`.

        Raises:
            ValueError: the address is none.
            NoLinks: the first attempt failed.
            RuntimeError: this side did not connect, so it does not know how to reach the other one.
        """
        if self._add is None:
            raise RuntimeError("only the side that connected can add links")
        await self._add(place)
