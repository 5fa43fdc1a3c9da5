"""A connection of a browser or a program: HTTP/1.1 by uvicorn and h11, within bounds of number and time."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio

    from uvicorn.config import Config
    from uvicorn.server import ServerState

MAX_CONNECTIONS: Final = 500
"""At the same time; a new one takes the place of the one that has been silent for longest."""
PATIENCE: Final = 10.0
"""Seconds for a client to say what it wants, all of it."""
READ_PATIENCE: Final = 30.0
"""Seconds for which a client may take nothing of what waits for it."""
MAX_HEADERS: Final = 16 << 10
"""Bytes of a request's line and headers, at most."""


class Protocol(H11Protocol):
    """Hangs up on who takes too long, and knows whose certificate the client has shown."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """See uvicorn."""
        super().__init__(config, server_state, app_state, _loop)
        self.silent_since = self.loop.time()
        """When nothing was left to do for it."""
        self._waiting: asyncio.TimerHandle | None = None
        """Ends a client that says nothing, or too little."""
        self._stuck: asyncio.TimerHandle | None = None
        """Ends a client that does not read."""

    @property
    def is_silent(self) -> bool:
        """Whether nothing is being done for it."""
        return self.cycle is None or self.cycle.response_complete  # type: ignore[redundant-expr]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or hang up where there are too many that are busy."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, "certificate": _name(transport.get_extra_info("peercert"))}
        self._make_room()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clocks."""
        self._forget(self._waiting)
        self._forget(self._stuck)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what came; a request that goes on for too long is not waited for."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self.silent_since = self.loop.time()
        super().on_response_complete()
        self._forget(self._waiting)
        self._waiting = None
        if not self.transport.is_closing():
            self._watch()

    def pause_writing(self) -> None:
        """Give the client time to read."""
        super().pause_writing()
        self._forget(self._stuck)
        self._stuck = self.loop.call_later(READ_PATIENCE, self.transport.abort)

    def resume_writing(self) -> None:
        """It has read."""
        super().resume_writing()
        self._forget(self._stuck)

    def shutdown(self) -> None:
        """End when nothing is left to say; a client that has hung up already needs no word."""
        with suppress(h11.LocalProtocolError):
            super().shutdown()

    def send_400_response(self, msg: str) -> None:
        """Say that this is no HTTP; amid another answer there is no room for words."""
        if self.conn.our_state is h11.IDLE:
            super().send_400_response(msg)
        else:
            self.transport.abort()

    def _watch(self) -> None:
        """Let the clock run exactly while it is the client's turn."""
        if not (self.is_silent or self.cycle.more_body):
            self._forget(self._waiting)
            self._waiting = None
        elif self._waiting is None:
            self._waiting = self.loop.call_later(PATIENCE, self.transport.abort)

    def _make_room(self) -> None:
        """Hang up on the one that has been silent for longest, or on this one, where there are too many."""
        there = [one for one in self.connections if isinstance(one, Protocol) and not one.transport.is_closing()]
        if len(there) > MAX_CONNECTIONS:
            silent = (one for one in there if one is not self and one.is_silent)
            min(silent, key=lambda one: one.silent_since, default=self).transport.abort()

    @staticmethod
    def _forget(timer: asyncio.TimerHandle | None) -> None:
        if timer is not None:
            timer.cancel()


def _name(certificate: dict[str, Any] | None) -> str:
    """Give the name in a client's certificate; empty where it has shown none."""
    if not certificate:
        return ""
    subject = dict(pair for part in certificate.get("subject", ()) for pair in part)
    names = [value for _, value in certificate.get("subjectAltName", ())]
    return str(subject.get("commonName") or ", ".join(names) or certificate.get("serialNumber", "?"))
