"""The web process at work: uvicorn, within bounds, around the application, with the hub beside it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import signal
from typing import TYPE_CHECKING, Any, Final

import sdnotify
import uvicorn

from alagg.control import logs
from alagg.control.client import ControlError
from alagg.web import app
from alagg.web.guard import Guard
from alagg.web.hub import Hub
from alagg.web.protocol import MAX_CONNECTIONS, MAX_HEADERS, Protocol
from alagg.web.source import Source

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.types import ASGIApp, Message

    from alagg.web.access import Access
    from alagg.web.broker import Door

log = logging.getLogger(__name__)

HANDSHAKE: Final = 5.0
"""Seconds for a client's part of the handshake of TLS."""
LEAVE: Final = 2
"""Seconds for clients to take what is under way when the process ends."""
DESCRIPTORS: Final = 2 * MAX_CONNECTIONS + 64
"""Files that are open at most: connections, and as many again that are in their handshake or being closed."""


class Serving:
    """Everything that is loaded and made before the process gives up its rights."""

    def __init__(
        self, access: Access, tls: ssl.SSLContext | None, listener: socket.socket, door: Door, control_socket: Path
    ) -> None:
        """Make the application; nothing is served yet."""
        self._tls = tls
        self._listener = listener
        self._door = door
        self._control_socket = control_socket
        self.hub = Hub(Source(door, control_socket))
        self._config = configured(Guard(app.build(self.hub), access, listener.getsockname()[1]))

    def rehearse(self) -> None:
        """Answer everything once, for nobody: what Python loads only when it is needed must be loaded by then.

        The files of an installation may be for root alone, such as one below /root.
        """
        asyncio.run(_rehearse(self._door, self._control_socket))

    def run(self) -> int:
        """Serve until a signal ends the process."""
        logs.start()
        _allow_descriptors()
        return asyncio.run(self._run())

    async def _run(self) -> int:
        """Serve, and give the exit status: without what asks the node there is nothing to serve."""
        following = asyncio.create_task(self.hub.run(), name="hub")
        server = Server(self._config, self._tls, self.hub)
        following.add_done_callback(server.leave)
        sdnotify.SystemdNotifier().notify("READY=1")  # it listens already
        try:
            await server.serve([self._listener])
        finally:
            following.cancel()
            (end,) = await asyncio.gather(following, return_exceptions=True)
        if isinstance(end, Exception):
            log.critical("what asks the node has failed: %r", end)
        return int(isinstance(end, Exception))


def configured(application: ASGIApp) -> uvicorn.Config:
    """Say how uvicorn is to serve an application."""
    config = uvicorn.Config(
        application, http=Protocol, ws="none", loop="asyncio", lifespan="off", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, h11_max_incomplete_event_size=MAX_HEADERS,
        timeout_graceful_shutdown=LEAVE,
    )  # fmt: skip
    config.load()
    # What it says of clients that speak no HTTP is theirs to say.
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    return config


class Server(uvicorn.Server):
    """uvicorn's server, with a limit for handshakes, and with streams that end when it does."""

    def __init__(self, config: uvicorn.Config, tls: ssl.SSLContext | None, hub: Hub) -> None:
        """Serve by `config`."""
        super().__init__(config)
        self._tls = tls
        self._hub = hub

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to take connections."""
        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                self._connection, sock=listener, ssl=self._tls, ssl_handshake_timeout=HANDSHAKE if self._tls else None
            )
            for listener in sockets or []
        ]
        self.started = True

    def _connection(self) -> Protocol:
        return Protocol(self.config, self.server_state, {})

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """End on SIGTERM and SIGINT, in an orderly way."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.leave)
        yield

    def leave(self, _: object = None) -> None:
        """Come to an end soon."""
        self.should_exit = True
        self._hub.close()


class _Sample(Source):
    """A node that has little to say."""

    async def status(self) -> dict[str, Any]:
        link = {"name": "", "peer": "", "state": "down", "reason": "", "loss": 0.5, "rx_expected": 1}
        return {"links": [link], "peers": [{"name": "", "tx": {}, "rx": {}}]}


async def _rehearse(door: Door, control_socket: Path) -> None:
    with contextlib.suppress(ControlError):
        await Source(door, control_socket).status()
    application = app.build(Hub(_Sample(door, control_socket)))
    for route in [*application.routes, None]:
        path = getattr(route, "path", "/nothing").format(peer="-", link="-")  # which is no link of the sample
        method = next(iter(getattr(route, "methods", None) or {"GET"}))
        with contextlib.suppress(asyncio.TimeoutError):  # a stream does not end
            await asyncio.wait_for(application(_request(method, path), _Asks(), _into_nothing), 0.2)


def _request(method: str, path: str) -> dict[str, Any]:
    return {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1", "method": method,
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "",
        "headers": [(b"content-type", b"application/json")], "client": None, "server": None, "state": {},
    }  # fmt: skip


class _Asks:
    """Brings what changes a link, then nothing any more."""

    def __init__(self) -> None:
        """Begin."""
        self._body: list[Message] = [{"type": "http.request", "body": b'{"blocked": true}', "more_body": False}]

    async def __call__(self) -> Message:
        """Give the next message, if there is one."""
        while not self._body:
            await asyncio.Event().wait()
        return self._body.pop()


async def _into_nothing(_: Message) -> None:
    pass


def _allow_descriptors() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS:
        wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
