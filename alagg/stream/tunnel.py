"""A tunnel for TCP: ports of another host appear here, each connection over many links."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from contextlib import asynccontextmanager
from struct import Struct
from typing import TYPE_CHECKING, Final

from alagg.stream.address import TCP, Address, parse
from alagg.stream.client import connect
from alagg.stream.core.errors import StreamAborted, StreamError
from alagg.stream.server import serve

if TYPE_CHECKING:
    import ssl as tls
    from collections.abc import AsyncIterator, Sequence

    from alagg.stream.connection import Connection

PIECE: Final = 1 << 16
"""Bytes that are carried over at once."""

log = logging.getLogger(__name__)


def port(text: str) -> Address:
    """Read `HOST:PORT`.

    Raises:
        ValueError: it is something else.
    """
    address = parse(text)
    if address.kind != TCP:
        raise ValueError(f"{text!r} is no port: HOST:PORT or [IPv6]:PORT")
    return address


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(PIECE):
        writer.write(data)
        await writer.drain()
    writer.write_eof()


async def relay(connection: Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry bytes both ways until both directions have ended.

    Raises:
        ConnectionError: one of the two broke; the other one is aborted.
    """
    ways = [
        asyncio.create_task(_carry(reader, connection.writer), name="to the peer"),
        asyncio.create_task(_carry(connection.reader, writer), name="from the peer"),
    ]
    try:
        await asyncio.gather(*ways)
        writer.close()
    finally:
        for way in ways:
            way.cancel()
        if not writer.is_closing():
            _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a TCP connection so that the program at its other end does not take what it got for everything."""
    at_once = Struct("hh" if sys.platform == "win32" else "ii").pack(1, 0)  # what `struct linger` is there
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()


@asynccontextmanager
async def far_end(listen: Sequence[str], to: str, *, ssl: tls.SSLContext | None = None) -> AsyncIterator[list[str]]:
    """Wait for tunnels at `listen`, and connect each connection to the port `to`; gives where it really waits.

    Raises:
        ValueError: an address is none.
        OSError: nothing can wait at an address.
    """
    target = port(to)

    async def handle(connection: Connection) -> None:
        try:
            reader, writer = await asyncio.open_connection(target.host, target.port)
        except OSError as error:
            log.warning("%s cannot be reached: %s", to, error)
            raise StreamAborted(f"{to} cannot be reached") from error
        await relay(connection, reader, writer)

    async with serve(handle, listen, ssl=ssl) as server:
        yield server.addresses


@asynccontextmanager
async def near_end(listen: str, via: Sequence[str], *, ssl: tls.SSLContext | None = None) -> AsyncIterator[str]:
    """Have the other side's port appear at `listen`, over one link to each of `via`; gives where it really waits.

    Raises:
        ValueError: an address is none.
        OSError: nothing can wait at the address.
    """
    here = port(listen)
    for address in via:
        parse(address)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with connect(via, ssl=ssl) as connection:
                await relay(connection, reader, writer)
        except (StreamError, OSError) as error:
            log.warning("a connection ended: %s", error)
            if not writer.is_closing():
                _reset(writer)

    async with await asyncio.start_server(handle, here.host, here.port) as server:
        yield f"{listen.rpartition(':')[0]}:{server.sockets[0].getsockname()[1]}"
