"""The side that is connected to: many connections, strangers, and its end."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

import pytest

from alagg import stream
from alagg.stream.address import parse
from alagg.stream.carrier import dial
from alagg.stream.joining import Membership, ask
from tests.stream.faces import LOCAL, echo, run, until

if TYPE_CHECKING:
    from pathlib import Path


def test_connections_are_apart_and_leave_nothing() -> None:
    async def one(addresses: list[str], number: int) -> None:
        async with stream.connect(addresses) as connection:
            connection.writer.write(bytes([number]) * 1000)
            assert await connection.reader.readexactly(1000) == bytes([number]) * 1000

    async def main() -> None:
        async with stream.serve(echo, LOCAL) as server:
            await asyncio.gather(*(one(server.addresses, number) for number in range(20)))
            await until(lambda: not server.connections)
            assert not server.refused

    run(main())


def test_a_guessed_id_is_refused_and_counted() -> None:
    async def main() -> None:
        async with stream.serve(echo, LOCAL) as server, stream.connect(server.addresses) as connection:
            (identity,) = server._registry._members
            for guess in (identity, os.urandom(16)):
                carrier = await dial(parse(server.addresses[0]), None)
                with pytest.raises(stream.Refused):
                    await ask(carrier, Membership(guess, os.urandom(32)))
                carrier.abort()
            await until(lambda: server.refused == 2)
            assert len(connection.links) <= 2

    run(main())


def test_strangers_are_refused_and_counted() -> None:
    async def main() -> None:
        async with stream.serve(echo, LOCAL) as server:
            for hello in (b"GET / HTTP/1.1\r\n".ljust(54), b""):
                carrier = await dial(parse(server.addresses[0]), None)
                carrier.write(hello)
                if not hello:
                    carrier.close()
                await carrier.gone
            await until(lambda: server.refused == 2)
            assert not server.connections

    run(main())


def test_the_end_of_the_server_is_the_end_of_its_connections(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "s"
        async with stream.serve(echo, [f"unix:{path}"]) as server:
            connecting = stream.connect(server.addresses)
            connection = await connecting.__aenter__()
        with pytest.raises(stream.StreamReset, match="the server stops"):
            await connection.reader.read(1)
        assert not path.exists()
        with pytest.raises(stream.StreamReset):
            await connecting.__aexit__(None, None, None)

    run(main())


def test_no_more_connections_than_allowed_and_each_end_makes_room() -> None:
    async def main() -> None:
        async with stream.serve(echo, LOCAL[:1], max_connections=1) as server:
            async with stream.connect(server.addresses) as connection:
                with pytest.raises(stream.NoLinks, match="the other end refused the link"):
                    async with stream.connect(server.addresses):
                        pass
                assert (server.refused, server.connections) == (1, 1)
                await connection.add(server.addresses[0])
            await until(lambda: not server.connections)
            async with stream.connect(server.addresses):
                assert server.connections == 1

    run(main())


def test_less_than_one_connection_is_none() -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="max_connections is at least 1, not 0"):
            async with stream.serve(echo, LOCAL, max_connections=0):
                pass

    run(main())


@pytest.mark.parametrize("addresses", [["nonsense"], ["tls://127.0.0.1:0"], ["wss://127.0.0.1:0"]])
def test_wrong_addresses_are_wrong_at_once(addresses: list[str]) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match=r"address|ssl="):
            async with stream.serve(echo, addresses):
                pass

    run(main())
