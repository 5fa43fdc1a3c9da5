"""The side that connects, on anyio: opens links, keeps them, and tries again with back-off."""

from __future__ import annotations

import ssl as tls
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import anyio
from anyio.streams.tls import TLSStream

from alagg.stream.address import SECURE, TLS, UNIX, WS, WSS, Address, parse
from alagg.stream.anyio.carrier import Carrier
from alagg.stream.anyio.face import Stream
from alagg.stream.anyio.loop import Loop
from alagg.stream.client import FIRST_PAUSE, FOUNDING, LONGEST_PAUSE, STABLE
from alagg.stream.core.errors import NoLinks
from alagg.stream.core.settings import Settings
from alagg.stream.driver import Driver
from alagg.stream.joining import TIME, ask

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from anyio.abc import ByteStream, TaskGroup

    from alagg.stream.core.link import Link
    from alagg.stream.joining import Membership

    Opens: TypeAlias = Callable[[], Awaitable[ByteStream]]
    """A coroutine function that gives a stream for a link."""
    Place: TypeAlias = str | Opens


def read(place: Place) -> Address | Opens:
    """Read an address, and leave what else opens a stream.

    Raises:
        ValueError: it is none, or a WebSocket's, which need asyncio.
    """
    if not isinstance(place, str):
        return place
    address = parse(place)
    if address.kind in (WS, WSS):
        raise ValueError(f"{place}: WebSockets need asyncio, and thus alagg.stream.connect and serve")
    return address


def name_of(place: Address | Opens) -> str:
    """Give what a link is called."""
    return place.text if isinstance(place, Address) else getattr(place, "__name__", "stream")


async def dial(place: Address | Opens, context: tls.SSLContext | None) -> ByteStream:
    """Open a stream for a link.

    Raises:
        OSError: it cannot be opened; `ssl.SSLError` is one.
        anyio.BrokenResourceError: the other end hung up while TLS began.
    """
    if not isinstance(place, Address):
        return await place()
    if place.kind == UNIX:
        return await anyio.connect_unix(place.host)
    stream = await anyio.connect_tcp(place.host, place.port)
    if place.kind != TLS:
        return stream
    return await TLSStream.wrap(stream, hostname=place.host, ssl_context=context, standard_compatible=False)


class Attempt:
    """What has become of a link's first attempt."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.joined = False
        self.error: BaseException | None = None
        self.scope = anyio.CancelScope()


def _joined(attempts: Sequence[Attempt]) -> bool:
    return any(attempt.joined for attempt in attempts)


class Client:
    """Keeps the links of one connection."""

    def __init__(self, driver: Driver, group: TaskGroup, context: tls.SSLContext | None) -> None:
        """Begin without links."""
        self.driver = driver
        self._group = group
        self._context = context
        self._member: Membership | None = None
        self._founding = anyio.Lock()
        self._news = anyio.Event()
        self._attempts: list[Attempt] = []

    async def add(self, place: Place) -> None:
        """Open a link, and keep it.

        Raises:
            ValueError: the address is none.
            NoLinks: it could not be opened; it is not tried again.
        """
        await self.open([read(place)])

    async def open(self, places: Sequence[Address | Opens]) -> None:
        """Open links to all places, and come back when the first one has joined; the others follow.

        Raises:
            NoLinks: none could be opened.
        """
        attempts = [Attempt() for _ in places]
        self._attempts += attempts
        for place, attempt in zip(places, attempts, strict=True):
            self._group.start_soon(self._keep, place, attempt)
        try:
            while not _joined(attempts) and any(attempt.error is None for attempt in attempts):
                await self._news.wait()
        finally:
            if not _joined(attempts):
                for attempt in attempts:
                    attempt.scope.cancel()
        if not _joined(attempts):
            reasons = [f"{name_of(place)}: {attempt.error}" for place, attempt in zip(places, attempts, strict=True)]
            raise NoLinks(f"no link could be opened: {'; '.join(reasons)}")

    def _tell(self) -> None:
        news, self._news = self._news, anyio.Event()
        news.set()

    async def _keep(self, place: Address | Opens, attempt: Attempt) -> None:
        """Keep one link, until it is removed or the connection has ended."""
        pause = FIRST_PAUSE
        with attempt.scope:
            while not self.driver.core.over:
                opened_at = self.driver.now
                try:
                    with anyio.fail_after(TIME):
                        carrier, link = await self._join(place)
                except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
                    attempt.error = error if str(error) else TimeoutError("no answer, or the other end hung up")
                    self._tell()
                else:
                    attempt.joined = True
                    self._tell()
                    await carrier.gone.wait()
                    if link.reason in ("removed", "removed by the peer"):
                        return
                    if self.driver.now - opened_at > STABLE:
                        pause = FIRST_PAUSE
                await anyio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _join(self, place: Address | Opens) -> tuple[Carrier, Link]:
        carrier = Carrier(await dial(place, self._context), name_of(place))
        self._group.start_soon(carrier.run)
        try:
            if self._member is None:
                async with self._founding:
                    # Only one link begins the connection; whoever waited joins it.
                    with anyio.fail_after(FOUNDING):
                        self._member = await ask(carrier, self._member)
            else:
                await ask(carrier, self._member)
            return carrier, self.driver.attach(name_of(place), carrier)
        except BaseException:
            carrier.abort()
            raise

    def stop(self) -> None:
        """Drop the links, and open none any more."""
        for attempt in self._attempts:
            attempt.scope.cancel()
        self.driver.stop()


@asynccontextmanager
async def connect(
    places: Sequence[Place], *, ssl: tls.SSLContext | None = None, settings: Settings | None = None
) -> AsyncIterator[Stream]:
    """Connect to a peer by one link to each place.

    At the end of the block what was written is sent and the connection closed; an exception aborts it.

    Args:
        places: `HOST:PORT`, `tls://HOST:PORT`, `unix:PATH`, or a coroutine function that gives a `ByteStream`, which
            is called again when that breaks.
        ssl: for `tls://`; by default certificates are checked as for the web.
        settings: limits and times.

    Raises:
        ValueError: an address is none, or there is none.
        NoLinks: no link could be opened.
    """
    parsed = [read(place) for place in places]
    if not parsed:
        raise ValueError("a connection needs at least one address")
    if ssl is None and any(isinstance(place, Address) and place.kind in SECURE for place in parsed):
        ssl = tls.create_default_context()
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        loop = Loop()
        group.start_soon(loop.run)
        client = Client(Driver(settings or Settings(), loop, anyio.Event), group, ssl)
        try:
            await client.open(parsed)
            async with _closed(Stream(client.driver, client.add)) as stream:
                yield stream
        except Exception as error:  # noqa: BLE001 - raised below, where no group wraps it
            failure = error
        finally:
            client.stop()
            loop.stop()
    if failure is not None:
        raise failure


@asynccontextmanager
async def _closed(stream: Stream) -> AsyncIterator[Stream]:
    """Close a stream at the end of a block, or abort it."""
    try:
        yield stream
    except BaseException:
        stream.abort()
        raise
    await stream.aclose()
