"""The side that is connected to, on anyio: waits for links, and hands each new connection to a handler."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSStream

from alagg.stream.address import TLS, UNIX, Address
from alagg.stream.anyio.carrier import Carrier
from alagg.stream.anyio.client import read
from alagg.stream.anyio.face import Stream
from alagg.stream.anyio.loop import Loop
from alagg.stream.core.settings import Settings
from alagg.stream.driver import Driver
from alagg.stream.joining import TIME
from alagg.stream.registry import MAX_CONNECTIONS, Registry

if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from anyio.abc import ByteStream, Listener, TaskGroup

    Handler: TypeAlias = Callable[[Stream], Awaitable[None]]

log = logging.getLogger(__name__)


class Server:
    """Waits for connections."""

    def __init__(self, handler: Handler, settings: Settings, most: int, group: TaskGroup) -> None:
        """Begin without listeners; there are at most `most` connections at once."""
        self.addresses: list[str] = []
        """Where it really waits: with the port that the system chose, where 0 was given."""
        self._handler = handler
        self._settings = settings
        self._group = group
        self._registry = Registry(most)
        self._loops: dict[Driver, Loop] = {}
        self._paths: list[Path] = []
        self._stopped = False
        self._listeners: list[Listener[Any]] = []

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
            ValueError: the address is none, or `tls://` without a context.
            OSError: nothing can wait there.
        """
        address = read(text)
        assert isinstance(address, Address)
        if address.kind == TLS and context is None:
            raise ValueError(f"{text} needs ssl=, an ssl.SSLContext with a certificate")
        accepted = partial(self._accepted, context=context if address.kind == TLS else None)
        if address.kind == UNIX:
            local = await anyio.create_unix_listener(address.host)
            self._listeners.append(local)
            self._paths.append(Path(address.host))
            self.addresses.append(text)
            self._group.start_soon(self._serve, local, accepted)
            return
        listener = await anyio.create_tcp_listener(local_host=address.host, local_port=address.port)
        self._listeners.append(listener)
        local_port = listener.extra(SocketAttribute.local_port)  # noqa: S610 - anyio's, not Django's
        self.addresses.append(address.with_port(local_port))
        self._group.start_soon(self._serve, listener, accepted)

    async def _serve(self, listener: Listener[Any], accepted: Callable[[Any], Awaitable[None]]) -> None:
        try:
            await listener.serve(accepted, self._group)
        except Exception:
            if not self._stopped:  # else it was closed while it waited
                raise

    async def admit(self, stream: ByteStream) -> None:
        """Have a link join that the program has opened by itself; it comes back when the link is over."""
        await self._accepted(stream, context=None)

    async def _accepted(self, stream: ByteStream, context: tls.SSLContext | None) -> None:
        if not self._registry.may_join():
            await anyio.aclose_forcefully(stream)
            return
        joining = True
        try:
            async with anyio.create_task_group() as group:
                with anyio.fail_after(TIME):
                    if context is not None:
                        stream = await TLSStream.wrap(
                            stream, server_side=True, ssl_context=context, standard_compatible=False
                        )
                    carrier = Carrier(stream, "stream")
                    group.start_soon(carrier.run)
                    await self._join(carrier)
                joining = False
                self._registry.joined()
        except Exception as error:  # noqa: BLE001 - a stranger's link ends nobody but itself
            log.info("a link ended before it joined: %s", error)
            await anyio.aclose_forcefully(stream)
        finally:
            if joining:
                self._registry.joined()

    async def _join(self, carrier: Carrier) -> None:
        try:
            new = await self._registry.join(carrier, self._driver)
        except OSError as error:
            self._registry.refused += 1
            log.info("refused a link from %s: %s", carrier.describe(), error)
            carrier.close()
            return
        except BaseException:
            self._registry.refused += 1
            carrier.abort()
            raise
        if new is not None:
            self._group.start_soon(self._handle, *new)

    def _driver(self) -> Driver:
        loop = Loop()
        driver = Driver(self._settings, loop, anyio.Event)
        self._loops[driver] = loop
        self._group.start_soon(loop.run)
        return driver

    async def _handle(self, identity: bytes, driver: Driver) -> None:
        """Have a connection handled, closed, and forgotten."""
        stream = Stream(driver)
        try:
            await self._handler(stream)
            await stream.aclose()
        except (ConnectionError, anyio.BrokenResourceError) as error:
            stream.abort()
            log.info("a connection ended: %s", error)
        except Exception:
            stream.abort()
            log.exception("a handler failed")
        finally:
            driver.stop()
            self._loops.pop(driver).stop()
            self._registry.forget(identity)

    async def stop(self) -> None:
        """Abort what is still handled, and wait for nothing any more."""
        self._stopped = True
        for driver in self._registry.drivers():
            driver.core.abort("the server stops", driver.now)
            driver.stop()
        self._group.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            for listener in self._listeners:
                await listener.aclose()
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
        handler: a coroutine function that gets the stream.
        addresses: `HOST:PORT`, `tls://HOST:PORT` or `unix:PATH`; port 0 is one that the system chooses. None, where
            all links come by `Server.admit`.
        ssl: for `tls://`, with a certificate.
        settings: limits and times of each connection.
        max_connections: at once; further ones are refused.

    Raises:
        ValueError: an address is none.
        OSError: nothing can wait at an address.
    """
    failure: Exception | None = None
    async with anyio.create_task_group() as group:
        server = Server(handler, settings or Settings(), max_connections, group)
        try:
            for address in addresses:
                await server.listen(address, ssl)
            yield server
        except Exception as error:  # noqa: BLE001 - raised below, where no group wraps it
            failure = error
        finally:
            await server.stop()
    if failure is not None:
        raise failure
