"""Links over readers and writers, and over queues."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from alagg import stream
from tests.stream.faces import LOCAL, echo, run, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@asynccontextmanager
async def streams_to(server: stream.Server) -> AsyncIterator[int]:
    """Give a port; each connection to it is a link that the server admits as a reader and a writer."""

    async def admit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await server.admit(stream.over_streams(reader, writer))

    async with await asyncio.start_server(admit, "127.0.0.1", 0) as listener:
        yield listener.sockets[0].getsockname()[1]


async def says(connection: stream.Connection, text: bytes) -> None:
    connection.writer.write(text)
    assert await connection.reader.readexactly(len(text)) == text


def test_a_reader_and_a_writer_are_a_link_that_comes_back() -> None:
    async def main() -> None:
        async with stream.serve(echo, []) as server, streams_to(server) as port:
            medium = stream.over(lambda: asyncio.open_connection("127.0.0.1", port), name="mine")
            async with stream.connect([medium]) as connection:
                await says(connection, b"x" * 100_000)
                (link,) = connection.links
                assert link.name == "mine"
                for carrier in list(connection._driver._carriers.values()):
                    carrier.abort()
                await until(lambda: link.state == "down")
                await says(connection, b"again")

    run(main())


def test_what_cannot_be_opened_again_is_over_with_its_link() -> None:
    async def main() -> None:
        there, back = asyncio.Queue[bytes](), asyncio.Queue[bytes]()
        async with stream.serve(echo, LOCAL[:1]) as server:
            await server.admit(stream.over_queues(there, back))
            async with stream.connect([*server.addresses, stream.over_queues(back, there)]) as connection:
                await until(lambda: len(connection.links) == 2)
                there.put_nowait(b"")
                await until(lambda: len(connection.links) == 1)
                await asyncio.sleep(0.15)
                assert [link.name for link in connection.links] == server.addresses
                await says(connection, b"goes on")

    run(main())


def test_a_stranger_on_a_queue_is_refused() -> None:
    async def main() -> None:
        there, back = asyncio.Queue[bytes](), asyncio.Queue[bytes]()
        async with stream.serve(echo, []) as server:
            await server.admit(stream.over_queues(there, back))
            there.put_nowait(bytes(54))
            assert await back.get() == b""
            assert server.refused == 1

    run(main())


def test_one_that_fails_at_once_is_named() -> None:
    async def fails() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        raise OSError("no modem")

    async def main() -> None:
        with pytest.raises(stream.NoLinks, match="modem line: no modem"):
            async with stream.connect([stream.over(fails, name="modem line")]):
                pass

    run(main())
