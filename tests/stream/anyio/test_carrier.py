"""Carriers over streams of anyio: joining, closing with what was written, and ends of any kind."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest
from anyio.streams.stapled import StapledByteStream

from alagg.stream.anyio.carrier import Carrier
from tests.stream.anyio.helpers import on_both

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import ByteStream


@asynccontextmanager
async def sockets() -> AsyncIterator[tuple[ByteStream, ByteStream]]:
    """Give two ends of a TCP connection."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    came: list[ByteStream] = []
    here = await anyio.connect_tcp(*listener.extra(anyio.abc.SocketAttribute.local_address))
    async with anyio.create_task_group() as group:

        async def accept(stream: ByteStream) -> None:
            came.append(stream)
            group.cancel_scope.cancel()

        group.start_soon(listener.serve, accept, group)
    async with listener, here, came[0]:
        yield here, came[0]


@on_both
async def test_what_was_written_arrives_before_the_end() -> None:
    async with sockets() as (here, there), anyio.create_task_group() as group:
        carrier = Carrier(here)
        assert carrier.describe().startswith("127.0.0.1:")
        group.start_soon(carrier.run)
        carrier.write(b"hello")
        carrier.close()
        assert await there.receive() == b"hello"
        with pytest.raises(anyio.EndOfStream):
            await there.receive()
        await carrier.gone.wait()
        carrier.write(b"too late")


@on_both
async def test_joining_reads_piece_by_piece_and_hears_of_the_end() -> None:
    async with sockets() as (here, there), anyio.create_task_group() as group:
        carrier = Carrier(here)
        group.start_soon(carrier.run)
        await there.send(b"abcdef")
        assert [await carrier.exactly(2), await carrier.exactly(4)] == [b"ab", b"cdef"]
        await there.aclose()
        with pytest.raises(ConnectionResetError):
            await carrier.exactly(1)
        assert carrier.gone.result()


@on_both
async def test_who_does_not_read_makes_it_full_and_is_closed_all_the_same() -> None:
    async with sockets() as (here, _), anyio.create_task_group() as group:
        carrier = Carrier(StapledByteStream(here, here), "given")
        assert carrier.describe().startswith("127.0.0.1:")
        group.start_soon(carrier.run)
        carrier.write(bytes(1 << 25))
        assert not carrier.writable
        carrier.abort()
        await carrier.gone.wait()
