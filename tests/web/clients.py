"""Clients of the application, without a socket between them; and a node that answers at once."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx

from alagg.web import app
from alagg.web.access import Access
from alagg.web.guard import Guard
from alagg.web.hub import Hub
from alagg.web.server import listen
from alagg.web.serving import Server, configured
from alagg.webconfig import WebConfig
from tests.web.fake_node import link, status

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import AsyncIterator, Callable, Iterable
    from typing import TypeAlias

    from typing_extensions import Self

    from alagg.control.client import ControlError

    Question: TypeAlias = tuple[str, str, dict[str, str]]
    """Method, path, headers."""

TOKEN: Final = "0123456789abcdef0123456789abcdef"
BEARER: Final = {"authorization": f"Bearer {TOKEN}"}
HERE: Final = "http://127.0.0.1:7312"
COOKIE: Final = "alagg-7312"


class FakeSource:
    """Says what a test has it say; `trouble` stands in for an answer."""

    def __init__(self) -> None:
        self.says = status(link("fibre"), link("copper"))
        self.trouble: ControlError | None = None
        self.refusal: ControlError | None = None
        self.asked = 0
        self.changes: list[dict[str, Any]] = []
        self.happening: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()

    async def status(self) -> dict[str, Any]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.trouble:
            raise self.trouble
        return self.says

    async def change(self, change: dict[str, Any]) -> None:
        if self.refusal:
            raise self.refusal
        self.changes.append(change)

    async def history(self, since: int, until: int, step: int) -> bytes:
        if self.trouble:
            raise self.trouble
        return json.dumps({"since": since, "until": until, "step": step}).encode()

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        while (event := await self.happening.get()) is not None:
            yield event


class Site:
    """The guarded application, and what it knows of the node."""

    def __init__(self, access: Access | None = None) -> None:
        self.source = FakeSource()
        self.hub = Hub(self.source)  # type: ignore[arg-type]
        self.app = app.build(self.hub)
        self.access = access or Access(TOKEN)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Ask once, over a connection of its own."""
        return asyncio.run(ask(Guard(self.app, self.access, 7312), method, path, **options))

    def ask_all(self, questions: Iterable[Question], content: bytes) -> list[httpx.Response]:
        """Ask once with each method, path and headers."""
        return asyncio.run(self._ask_all(questions, content))

    async def _ask_all(self, questions: Iterable[Question], content: bytes) -> list[httpx.Response]:
        guard = Guard(self.app, self.access, 7312)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url=HERE) as client:
            return [
                await client.request(method, path, headers=headers, content=content)
                for method, path, headers in questions
            ]


async def ask(app: Any, method: str, path: str, **options: Any) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=HERE) as client:
        return await client.request(method, path, **options)


class Running:
    """The site behind a real socket, in the loop of the test: `async with Running(site) as running`."""

    def __init__(self, site: Site, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self._listener = listen(WebConfig(listen=(host, 0)), Path("alagg.cfg"))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._site = site
        self._clients: list[asyncio.StreamWriter] = []
        self._server = Server(configured(Guard(site.app, site.access, self.address[1])), tls, site.hub)

    async def __aenter__(self) -> Self:
        self._following = asyncio.create_task(self._site.hub.run())
        await self._server.startup([self._listener])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._following.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._following
        for server in self._server.servers:
            server.close()
        for transport in (*(one.transport for one in self.connections), *(one.transport for one in self._clients)):
            transport.abort()
        await until(lambda: not self.connections)
        for one in self._clients:
            with contextlib.suppress(OSError):
                await one.wait_closed()

    @property
    def connections(self) -> Any:
        return self._server.server_state.connections

    async def connect(self, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(*self.address, **options)
        self._clients.append(writer)
        return reader, writer

    async def say(self, request: bytes, **options: Any) -> bytes:
        """Send this, and give all that comes until the server hangs up."""
        reader, writer = await self.connect(**options)
        writer.write(request)
        with contextlib.suppress(ConnectionResetError):
            return await reader.read()
        return b""


def listening() -> socket.socket:
    """Listen on a free port of this host."""
    return listen(WebConfig(listen=("127.0.0.1", 0)), Path("alagg.cfg"))


async def until(condition: Callable[[], Any]) -> Any:
    """Wait for something to be so; the test's own limit ends it."""
    while not (found := condition()):  # noqa: ASYNC110 - what others' code does rings no bell
        await asyncio.sleep(0.01)
    return found
