"""The side that connects: opens links, keeps them, and tries again with back-off while the connection lives."""

from __future__ import annotations

import asyncio
import ssl as tls
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

from alagg.stream import carrier as sockets
from alagg.stream import medium as media
from alagg.stream import websocket
from alagg.stream.address import SECURE, WS, WSS, Address, parse
from alagg.stream.connection import Connection
from alagg.stream.core.errors import NoLinks
from alagg.stream.core.settings import Settings
from alagg.stream.driver import Driver
from alagg.stream.joining import TIME, ask
from alagg.stream.medium import Medium

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from alagg.stream.carrier import Carrier
    from alagg.stream.core.link import Link
    from alagg.stream.joining import Membership

FIRST_PAUSE: Final = 0.1
"""Seconds until a link that broke is opened again."""
LONGEST_PAUSE: Final = 10.0
"""Seconds between attempts, at the most; each failure doubles the pause."""
FOUNDING: Final = 3.0
"""Seconds that the link which begins the connection may take; then another one does it."""
STABLE: Final = 10.0
"""Seconds after which a link counts as good, so that the next pause is short again."""


def read_places(places: Sequence[str | Medium]) -> list[Address | Medium]:
    """Read addresses, and leave what else a link can go over.

    Raises:
        ValueError: an address is none.
    """
    return [place if isinstance(place, Medium) else parse(place) for place in places]


async def dial(place: Address | Medium, context: tls.SSLContext | None) -> Carrier:
    """Open a link.

    Raises:
        OSError: it cannot be opened; `ssl.SSLError` is one.
    """
    if isinstance(place, Medium):
        return await media.dial(place)
    if place.kind in (WS, WSS):
        return await websocket.dial(place, context)
    return await sockets.dial(place, context)


class Client:
    """Keeps the links of one connection."""

    def __init__(self, settings: Settings, context: tls.SSLContext | None) -> None:
        """Begin without links."""
        self._context = context
        self._driver = Driver(settings)
        self._member: Membership | None = None
        self._founding = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.connection = Connection(self._driver, self.add)

    async def add(self, place: str | Medium) -> None:
        """Open a link, and keep it.

        Raises:
            ValueError: the address is none.
            NoLinks: it could not be opened; it is not tried again.
        """
        await self.open(read_places([place]))

    async def open(self, addresses: Sequence[Address | Medium]) -> None:
        """Open links to all addresses, and come back when the first one has joined; the others follow.

        Raises:
            NoLinks: none could be opened.
        """
        firsts: list[asyncio.Future[None]] = []
        tasks: list[asyncio.Task[None]] = []
        for address in addresses:
            first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            task = asyncio.create_task(self._keep(address, first), name=f"link to {address.text}")
            firsts.append(first)
            tasks.append(task)
        self._tasks.update(tasks)
        for first in asyncio.as_completed(firsts):
            try:
                await first
            except (OSError, asyncio.TimeoutError):
                continue
            return
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        reasons = [f"{address.text}: {first.exception()}" for address, first in zip(addresses, firsts, strict=True)]
        raise NoLinks(f"no link could be opened: {'; '.join(reasons)}")

    async def _keep(self, address: Address | Medium, first: asyncio.Future[None]) -> None:
        """Keep one link, until it is removed or the connection has ended."""
        pause = FIRST_PAUSE
        while not self._driver.core.over:
            opened_at = self._driver.now
            try:
                carrier, link = await asyncio.wait_for(self._join(address), TIME)
            except (OSError, asyncio.TimeoutError) as error:
                if not first.done():
                    first.set_exception(error if str(error) else TimeoutError(f"no answer in {TIME:g} seconds"))
            else:
                if not first.done():
                    first.set_result(None)
                await asyncio.shield(carrier.gone)
                once = isinstance(address, Medium) and not address.again
                if once or link.reason in ("removed", "removed by the peer"):
                    return
                if self._driver.now - opened_at > STABLE:
                    pause = FIRST_PAUSE
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    async def _join(self, address: Address | Medium) -> tuple[Carrier, Link]:
        carrier = await dial(address, self._context)
        try:
            if self._member is None:
                async with self._founding:
                    # Only one link begins the connection; whoever waited joins it.
                    self._member = await asyncio.wait_for(ask(carrier, self._member), FOUNDING)
            else:
                await ask(carrier, self._member)
            return carrier, self._driver.attach(address.text, carrier)
        except BaseException:
            carrier.abort()
            raise

    async def stop(self) -> None:
        """Drop the links, and open none any more."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._driver.stop()


@asynccontextmanager
async def connect(
    addresses: Sequence[str | Medium], *, ssl: tls.SSLContext | None = None, settings: Settings | None = None
) -> AsyncIterator[Connection]:
    """Connect to a peer by one link to each address.

    At the end of the block what was written is sent and the connection closed; an exception aborts it.

    Args:
        addresses: `HOST:PORT`, `tls://HOST:PORT`, `ws://HOST:PORT/PATH`, `wss://HOST:PORT/PATH`, `unix:PATH`, or what
            `over`, `over_streams` and `over_queues` give; an address may stand several times.
        ssl: for `tls://` and `wss://`; by default certificates are checked as for the web.
        settings: limits and times.

    Raises:
        ValueError: an address is none, or there is none.
        NoLinks: no link could be opened.
    """
    parsed = read_places(addresses)
    if not parsed:
        raise ValueError("a connection needs at least one address")
    if ssl is None and any(isinstance(place, Address) and place.kind in SECURE for place in parsed):
        ssl = tls.create_default_context()
    client = Client(settings or Settings(), ssl)
    try:
        await client.open(parsed)
        try:
            yield client.connection
        except BaseException:
            client.connection.abort()
            raise
        await client.connection.close()
    finally:
        await client.stop()
