"""A transport of asyncio over anything that sends and receives pieces of bytes: WebSockets, streams, queues."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PIECE: Final = 1 << 16
"""Bytes that are handed on at once, at the most."""
FAREWELL: Final = 1.0
"""Seconds that closing may take."""


class Pump(asyncio.Transport):
    """Two tasks, one for each direction, between a protocol and two coroutine functions."""

    def __init__(
        self, name: str, receive: Callable[[], Awaitable[bytes]], send: Callable[[bytes], Awaitable[object]],
        close: Callable[[], Awaitable[object]],
    ) -> None:
        """Take what moves the bytes.

        Args:
            name: what it is, in words.
            receive: gives the next bytes, none at the end.
            send: takes bytes, and comes back when it can take more.
            close: ends both directions.
        """
        super().__init__()
        self._name = name
        self._receive, self._send, self._close = receive, send, close
        self._protocol: asyncio.Protocol | None = None
        self._out = bytearray()
        self._high = 1 << 17
        self._full = False
        self._closing = False
        self._work = asyncio.Event()
        self._reading = asyncio.Event()
        self._reading.set()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, protocol: asyncio.Protocol) -> None:
        """Connect a protocol."""
        self._protocol = protocol
        self._tasks = [
            asyncio.create_task(self._guard(work), name=f"{self._name}, {what}")
            for work, what in ((self._take, "received"), (self._give, "sent"))
        ]
        protocol.connection_made(self)

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        error: Exception | None = None
        try:
            await work()
        except asyncio.CancelledError:
            return
        except Exception as failure:  # noqa: BLE001 - whatever the medium raises, the link has broken
            error = failure
        self._lost(error)

    def _lost(self, error: Exception | None) -> None:
        self._closing = True
        if self._protocol is None:
            return
        protocol, self._protocol = self._protocol, None
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        self._tasks = [asyncio.create_task(self._farewell(), name=f"{self._name}, closed")]
        protocol.connection_lost(error)

    async def _farewell(self) -> None:
        with suppress(Exception):
            await asyncio.wait_for(self._close(), FAREWELL)

    async def _take(self) -> None:
        while True:
            await self._reading.wait()
            data = await self._receive()
            if not isinstance(data, bytes):
                raise TypeError(f"a link carries bytes, not {type(data).__name__}")
            if not data or self._protocol is None:
                return
            self._protocol.data_received(data)

    async def _give(self) -> None:
        while not (self._closing and not self._out):
            await self._work.wait()
            while self._out:
                piece = bytes(self._out[:PIECE])
                del self._out[:PIECE]
                await self._send(piece)
                self._follow()
            if not self._closing:
                self._work.clear()

    def _follow(self) -> None:
        if self._full and len(self._out) <= self._high // 4 and self._protocol is not None:
            self._full = False
            self._protocol.resume_writing()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        self._out += data
        self._work.set()
        if len(self._out) > self._high and not self._full and self._protocol is not None:
            self._full = True
            self._protocol.pause_writing()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:  # noqa: ARG002
        """Set how much may wait; it may go on at a quarter of that."""
        self._high = self._high if high is None else high

    def pause_reading(self) -> None:
        """Receive no further piece."""
        self._reading.clear()

    def resume_reading(self) -> None:
        """Receive again."""
        self._reading.set()

    def is_closing(self) -> bool:
        """Tell whether it is closed or closing."""
        return self._closing

    def close(self) -> None:
        """Close, after what was written."""
        self._closing = True
        self._work.set()

    def abort(self) -> None:
        """Close at once."""
        if self._protocol is not None:
            asyncio.get_running_loop().call_soon(self._lost, None)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Give the name as `peername`."""
        return self._name if name == "peername" else default
