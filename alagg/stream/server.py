"""The side that is connected to: waits for links, and hands each new connection to a handler."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alagg.stream.address import TLS, UNIX, parse
from alagg.stream.carrier import listen
from alagg.stream.connection import Connection
from alagg.stream.core.errors import Refused
from alagg.stream.core.settings import Settings
from alagg.stream.driver import Driver
from alagg.stream.joining import EXISTING, TIME, Membership, answer, read_hello, refuse

if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
    from typing import Any, TypeAlias

    from alagg.stream.carrier import Carrier

    Handler: TypeAlias = Callable[[Connection], Awaitable[None]]

MAX_JOINING: Final = 256
"""Links that may be joining at once; further ones are closed."""
MAX_LINKS: Final = 64
"""Links of one connection."""

log = logging.getLogger(__name__)


class Server:
    """Waits for connections."""

    def __init__(self, handler: Handler, settings: Settings) -> None:
        """Begin without listeners."""
        self.addresses: list[str] = []
        """Where it really waits: with the port that the system chose, where 0 was given."""
        self.refused = 0
        """Links that were not let in: wrong, replayed or guessed proofs, strangers, too many at once."""
        self._handler = handler
        self._settings = settings
        self._members: dict[bytes, tuple[Membership, Driver]] = {}
        self._joining = 0
        self._listeners: list[asyncio.Server] = []
        self._paths: list[Path] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def connections(self) -> int:
        """Give the number of connections that are not over."""
        return len(self._members)

    async def listen(self, text: str, context: tls.SSLContext | None) -> None:
        """Wait at an address.

        Raises:
            ValueError: the address is none, or `tls://` without a context.
            OSError: nothing can wait there.
        """
        address = parse(text)
        if address.kind == TLS and context is None:
            raise ValueError(f"{text} needs ssl=, an ssl.SSLContext with a certificate")
        listener = await listen(address, context, self._accepted)
        self._listeners.append(listener)
        if address.kind == UNIX:
            self._paths.append(Path(address.host))
            self.addresses.append(text)
            return
        port = listener.sockets[0].getsockname()[1]
        self.addresses.append(f"{text.rpartition(':')[0]}:{port}")

    def _start(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accepted(self, carrier: Carrier) -> None:
        if self._joining >= MAX_JOINING:
            self.refused += 1
            carrier.abort()
            return
        self._joining += 1
        self._start(self._admit(carrier), "joining")

    async def _admit(self, carrier: Carrier) -> None:
        try:
            await asyncio.wait_for(self._join(carrier), TIME)
        except (OSError, asyncio.TimeoutError) as error:
            self.refused += 1
            carrier.close()
            log.info("refused a link from %s: %s", carrier.describe(), str(error) or "too slow")
        except asyncio.CancelledError:
            carrier.abort()
            raise
        finally:
            self._joining -= 1

    async def _join(self, carrier: Carrier) -> None:
        hello = await read_hello(carrier)
        known = self._members.get(hello.identity) if hello.kind == EXISTING else None
        if known is not None and len(known[1].core.links) >= MAX_LINKS:
            refuse(carrier)
            raise Refused(f"more than {MAX_LINKS} links")
        member = await answer(carrier, hello, known[0] if known else None)
        if known is None:
            driver = Driver(self._settings)
            self._members[member.identity] = member, driver
            driver.attach(carrier.describe(), carrier)
            self._start(self._handle(member.identity, driver), "connection")
        elif known[1].core.over:
            carrier.close()
        else:
            known[1].attach(carrier.describe(), carrier)

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
            del self._members[identity]

    async def stop(self) -> None:
        """Wait for nothing any more; connections that are still handled are aborted."""
        for listener in self._listeners:
            listener.close()
        for _, driver in self._members.values():
            driver.core.abort("the server stops", driver.now)
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
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
) -> AsyncIterator[Server]:
    """Wait for connections at all addresses, and have each handled by a task of its own, until the block ends.

    A handler that returns closes its connection in good order; one that raises aborts it.

    Args:
        handler: a coroutine function that gets the connection.
        addresses: `HOST:PORT`, `tls://HOST:PORT` or `unix:PATH`; port 0 is one that the system chooses.
        ssl: for `tls://`, with a certificate.
        settings: limits and times.

    Raises:
        ValueError: an address is none, or there is none.
        OSError: nothing can wait at an address.
    """
    if not addresses:
        raise ValueError("a server needs at least one address")
    server = Server(handler, settings or Settings())
    try:
        for address in addresses:
            await server.listen(address, ssl)
        yield server
    finally:
        await server.stop()
