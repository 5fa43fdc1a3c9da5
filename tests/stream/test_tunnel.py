"""Tunnels: a port of the other side appears here."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from alagg.stream.tunnel import far_end, near_end, port
from tests.stream.faces import LOCAL, run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


async def shout(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer in capitals once the other side has ended, then end as well."""
    writer.write((await reader.read()).upper())
    await writer.drain()
    writer.close()


@asynccontextmanager
async def tunnelled() -> AsyncIterator[tuple[str, int]]:
    """Give the near end's port."""
    async with await asyncio.start_server(shout, "127.0.0.1", 0) as server:
        to = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with far_end(LOCAL, to) as via, near_end("127.0.0.1:0", via) as here:
            yield "127.0.0.1", port(here).port


async def ask(place: tuple[str, int], text: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*place)
    writer.write(text)
    await writer.drain()
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


def test_a_half_closed_connection_gets_its_answer() -> None:
    async def main() -> None:
        async with tunnelled() as place:
            assert await ask(place, b"hello " * 100_000) == b"HELLO " * 100_000

    run(main())


def test_many_at_once_are_apart() -> None:
    async def main() -> None:
        async with tunnelled() as place:
            answers = await asyncio.gather(*(ask(place, b"n%d" % number) for number in range(20)))
            assert answers == [b"N%d" % number for number in range(20)]

    run(main())


def test_a_port_that_nobody_serves_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with far_end(LOCAL, "127.0.0.1:1") as via, near_end("127.0.0.1:0", via) as here:
            reader, writer = await asyncio.open_connection("127.0.0.1", port(here).port)
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(1)
            writer.close()

    run(main())
    assert "127.0.0.1:1 cannot be reached" in caplog.text


def test_without_the_far_end_a_connection_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with near_end("127.0.0.1:0", ["127.0.0.1:1"]) as here:
            reader, writer = await asyncio.open_connection("127.0.0.1", port(here).port)
            with pytest.raises(ConnectionResetError):
                await reader.readexactly(1)
            writer.close()

    run(main())
    assert "no link could be opened" in caplog.text


@pytest.mark.parametrize("text", ["unix:/x", "tls://a:1", "a"])
def test_only_ports_are_ports(text: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT"):
        port(text)
