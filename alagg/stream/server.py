"""The side that is connected to: waits for links, and hands each new connection to a handler."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from alagg.stream.address import SECURE, UNIX, WS, WSS, parse
from alagg.stream.carrier import listen
from alagg.stream.connection import Connection
from alagg.stream.core.settings import Settings
from alagg.stream.driver import Driver
from alagg.stream.joining import TIME
from alagg.stream.medium import dial
from alagg.stream.registry import MAX_CONNECTIONS, Registry
from alagg.stream.websocket import listen as listen_web

if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
    from typing import Any, TypeAlias

    from websockets.asyncio.server import Server as WebServer

    from alagg.stream.carrier import Carrier
    from alagg.stream.medium import Medium

    Handler: TypeAlias = Callable[[Connection], Awaitable[None]]

log = logging.getLogger(__name__)


class Server:
    """Waits for connections."""

    def __init__(self, handler: Handler, settings: Settings, most: int = MAX_CONNECTIONS) -> None:
        """Begin without listeners; there are at most `most` connections at once."""
        self.addresses: list[str] = []
        """Where it really waits: with the port that the system chose, where 0 was given."""
        self._handler = handler
        self._settings = settings
        self._registry = Registry(most)
        self._listeners: list[asyncio.Server | WebServer] = []
        self._paths: list[Path] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """Give the number of connections that are not over."""
        return len(self._registry)

    @property
    def refused(self) -> int:
        """Give the links that were not let in: wrong, replayed or guessed proofs, strangers, too many."""
        return self._registry.refused

    async def listen(self, text: str, context: tls.SSLContext | None) -> None:
        """Wait at an address.

        Raises:
            ValueError: the address is none, or `tls://` or `wss://` without a context.
            OSError: nothing can wait there.
        """
        address = parse(text)
        if address.kind in SECURE and context is None:
            raise ValueError(f"{text} needs ssl=, an ssl.SSLContext with a certificate")
        web = address.kind in (WS, WSS)
        listener = await (listen_web if web else listen)(address, context, self._accepted)
        self._listeners.append(listener)
        if address.kind == UNIX:
            self._paths.append(Path(address.host))
            self.addresses.append(text)
            return
        self.addresses.append(address.with_port(next(iter(listener.sockets)).getsockname()[1]))

    async def admit(self, medium: Medium) -> None:
        """Have a link join that the program has opened by itself; one that may not is counted and closed.

        Raises:
            OSError: it cannot be opened.
        """
        self._accepted(await dial(medium))

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accepted(self, carrier: Carrier) -> None:
        if self._registry.may_join():
            self._start(self._admit(carrier), "joining")
        else:
            carrier.abort()

    async def _admit(self, carrier: Carrier) -> None:
        try:
            new = await asyncio.wait_for(self._registry.join(carrier, self._driver), TIME)
            if new is not None:
                self._start(self._handle(*new), "connection")
        except (OSError, asyncio.TimeoutError) as error:
            self._registry.refused += 1
            carrier.close()
            log.info("refused a link from %s: %s", carrier.describe(), str(error) or "too slow")
        except asyncio.CancelledError:
            carrier.abort()
            raise
        finally:
            self._registry.joined()

    def _driver(self) -> Driver:
        return Driver(self._settings)

    async def _handle(self, identity: bytes, driver: Driver) -> None:
        """Have a connection handled, closed, and forgotten."""
        connection = Connection(driver)
        try:
            await self._handler(connection)
            await connection.close()
        except ConnectionError as error:
            connection.abort()
            log.info("a connection ended: %s", error)
        except Exception:
            connection.abort()
            log.exception("a handler failed")
        finally:
            driver.stop()
            self._registry.forget(identity)

    async def stop(self) -> None:
        """Wait for nothing any more; connections that are still handled are aborted."""
        for listener in self._listeners:
            listener.close()
        for driver in self._registry.drivers():
            driver.core.abort("the server stops", driver.now)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        try:
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            for path in self._paths:
                with suppress(FileNotFoundError):
                    path.unlink()


@asynccontextmanager
async def serve(
    handler: Handler,
    addresses: Sequence[str],
    *,
    ssl: tls.SSLContext | None = None,
    settings: Settings | None = None,
    max_connections: int = MAX_CONNECTIONS,
) -> AsyncIterator[Server]:
    """Wait for connections at all addresses, and have each handled by a task of its own, until the block ends.

    A handler that returns closes its connection in good order; one that raises aborts it.

    Args:
        handler: a coroutine function that gets the connection.
        addresses: `HOST:PORT`, `tls://HOST:PORT`, `ws://HOST:PORT/PATH`, `wss://HOST:PORT/PATH` or `unix:PATH`;
            port 0 is one that the system chooses. None, where all links come by `Server.admit`.
        ssl: for `tls://` and `wss://`, with a certificate.
        settings: limits and times of each connection.
        max_connections: at once; further ones are refused.

    Raises:
        ValueError: an address is none.
        OSError: nothing can wait at an address.
    """
    server = Server(handler, settings or Settings(), max_connections)
    try:
        for address in addresses:
            await server.listen(address, ssl)
        yield server
    finally:
        await server.stop()
