"""The three faces of a connection behind one interface, for the suite that all of them have to pass."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

import anyio
import pytest

from alagg import stream
from alagg.stream import anyio as anystream
from tests.stream.faces import LOCAL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

ENDED = (ConnectionError, anyio.BrokenResourceError, anyio.ClosedResourceError)


class End(Protocol):
    """One end of a connection."""

    async def send(self, data: bytes) -> None:
        """Send, and come back when there is room for more."""

    async def receive(self) -> bytes:
        """Give the next bytes; none at the end."""

    async def send_eof(self) -> None:
        """End this direction."""

    async def close(self) -> None:
        """Close in good order."""

    def abort(self) -> None:
        """Close by force."""

    @property
    def links(self) -> Sequence[Any]:
        """Give the links."""

    @property
    def error(self) -> stream.StreamError | None:
        """Give why it ended."""


class Streams:
    """Reader and writer of asyncio."""

    def __init__(self, connection: stream.Connection) -> None:
        self.connection = connection
        self.abort, self.close = connection.abort, connection.close

    async def send(self, data: bytes) -> None:
        self.connection.writer.write(data)
        await self.connection.writer.drain()

    async def receive(self) -> bytes:
        return await self.connection.reader.read(1 << 16)

    async def send_eof(self) -> None:
        self.connection.writer.write_eof()

    @property
    def links(self) -> Sequence[Any]:
        links: list[Any] = self.connection.writer.get_extra_info("links")
        return links

    @property
    def error(self) -> stream.StreamError | None:
        return self.connection.error


class Protocolled(asyncio.Protocol):
    """A protocol of asyncio with its transport."""

    def __init__(self, connection: stream.Connection) -> None:
        self.connection = connection
        self.transport: Any = connection.writer.transport
        self.close = connection.close
        self.came, self.lost, self.ended = bytearray(), False, False
        self.news, self.room = asyncio.Event(), asyncio.Event()
        self.room.set()
        self.transport.set_protocol(self)

    def data_received(self, data: bytes) -> None:
        self.came += data
        self.transport.pause_reading()
        self.news.set()

    def eof_received(self) -> bool:
        self.ended = True
        self.news.set()
        return True

    def pause_writing(self) -> None:
        self.room.clear()

    def resume_writing(self) -> None:
        self.room.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self.news.set()

    async def send(self, data: bytes) -> None:
        self.transport.write(data)
        await self.room.wait()

    async def receive(self) -> bytes:
        while not (self.came or self.ended):
            if self.lost:
                raise self.error or ConnectionResetError
            self.news.clear()
            await self.news.wait()
        data = bytes(self.came)
        self.came.clear()
        self.transport.resume_reading()
        return data

    async def send_eof(self) -> None:
        self.transport.write_eof()

    def abort(self) -> None:
        self.transport.abort()

    @property
    def links(self) -> Sequence[Any]:
        links: list[Any] = self.transport.get_extra_info("links")
        return links

    @property
    def error(self) -> stream.StreamError | None:
        return self.connection.error


class Any_:  # noqa: N801 - anyio's, and Any is taken
    """A `ByteStream` of anyio."""

    def __init__(self, one: anystream.Stream) -> None:
        self.stream = one
        self.send, self.send_eof, self.close, self.abort = one.send, one.send_eof, one.aclose, one.abort

    async def receive(self) -> bytes:
        try:
            return await self.stream.receive()
        except anyio.EndOfStream:
            return b""

    @property
    def links(self) -> Sequence[Any]:
        return self.stream.extra(anystream.LinkAttribute.links)

    @property
    def error(self) -> stream.StreamError | None:
        return self.stream.error


FACES: dict[str, tuple[Any, Any, Any]] = {
    "streams": (stream.serve, stream.connect, Streams),
    "protocol": (stream.serve, stream.connect, Protocolled),
    "anyio": (anystream.serve, anystream.connect, Any_),
}
BACKENDS = {
    "asyncio": ("asyncio", {}), "uvloop": ("asyncio", {"use_uvloop": True}), "trio": ("trio", {}),
}  # fmt: skip
EVERY = [
    pytest.param(face, backend, id=f"{face}-{backend}")
    for face, backend in (
        ("streams", "asyncio"), ("streams", "uvloop"), ("protocol", "asyncio"), ("protocol", "uvloop"),
        ("anyio", "asyncio"), ("anyio", "uvloop"), ("anyio", "trio"),
    )
]  # fmt: skip


@asynccontextmanager
async def pair(face: str, addresses: Sequence[str] = LOCAL, **options: Any) -> AsyncIterator[tuple[End, End]]:
    """Give both ends of a connection, the client's first."""
    serve, connect, wrap = FACES[face]
    ends: list[End] = []
    came, leave = anyio.Event(), anyio.Event()

    async def handler(connection: Any) -> None:
        ends.append(wrap(connection))
        came.set()
        await leave.wait()

    async with serve(handler, addresses, **options) as server, connect(server.addresses, **options) as connection:
        here = wrap(connection)
        await came.wait()
        while [link.state for link in here.links] != ["up"] * len(addresses):  # noqa: ASYNC110 - nothing else tells
            await anyio.sleep(0.001)
        try:
            yield here, ends[0]
        finally:
            leave.set()
