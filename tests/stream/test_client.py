"""The side that connects: first links, links that break and come back, failures in words."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from alagg import stream
from tests.stream.faces import LOCAL, certificate, echo, joined, run, until

if TYPE_CHECKING:
    from pathlib import Path


def test_links_of_all_kinds_join_one_connection_and_can_be_removed(tmp_path: Path) -> None:
    serving, asking = certificate(tmp_path)

    async def main() -> None:
        addresses = [f"unix:{tmp_path}/link", *(f"{kind}127.0.0.1:0" for kind in ("", "tls://", "ws://", "wss://"))]
        there, back = asyncio.Queue[bytes](2), asyncio.Queue[bytes](2)
        async with stream.serve(echo, addresses, ssl=serving) as server:
            await server.admit(stream.over_queues(there, back))
            places: list[str | stream.Medium] = [*server.addresses, stream.over_queues(back, there)]
            async with stream.connect(places, ssl=asking) as connection:
                await until(lambda: [link.state for link in connection.links] == ["up"] * 6)
                assert server.connections == 1
                for number, link in enumerate(connection.links):
                    connection.writer.write(bytes([number]))
                    assert await connection.reader.readexactly(1) == bytes([number])
                    if number < 5:
                        await link.remove()
            assert not server.refused

    run(main())


def test_a_link_that_breaks_comes_back_by_itself() -> None:
    async def main() -> None:
        async with joined() as connection:
            driver = connection._driver
            broken = connection.links[0]
            driver._carriers[driver.core.links[0]].abort()
            await until(lambda: broken.state == "down")
            connection.writer.write(b"goes on")
            assert await connection.reader.readexactly(7) == b"goes on"
            await until(lambda: [link.state for link in connection.links] == ["up", "up"])

    run(main())


def test_all_links_may_break_at_once() -> None:
    async def main() -> None:
        async with joined() as connection:
            for carrier in list(connection._driver._carriers.values()):
                carrier.abort()
            connection.writer.write(b"later")
            assert await connection.reader.readexactly(5) == b"later"

    run(main())


def test_where_nobody_answers_each_address_is_named() -> None:
    async def main() -> None:
        addresses = ["127.0.0.1:1", "unix:/nowhere/at/all"]
        with pytest.raises(stream.NoLinks) as caught:
            async with stream.connect(addresses):
                pass
        assert all(address in str(caught.value) for address in addresses)
        assert caught.value.reason == "no-links"

    run(main())


def test_one_address_that_answers_is_enough() -> None:
    async def main() -> None:
        serving = stream.serve(echo, LOCAL[:1])
        async with serving as server, stream.connect(["127.0.0.1:1", *server.addresses]) as connection:
            connection.writer.write(b"x")
            assert await connection.reader.readexactly(1) == b"x"
            with pytest.raises(stream.NoLinks):
                await connection.add("127.0.0.1:1")

    run(main())


def test_an_address_that_says_nothing_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alagg.stream.client.FOUNDING", 0.5)

    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            mute = f"127.0.0.1:{silent.getsockname()[1]}"
            async with (
                stream.serve(echo, LOCAL[:1]) as server,
                stream.connect([mute, *server.addresses]) as connection,
            ):
                assert [link.name for link in connection.links] == server.addresses

    run(main())


def test_a_certificate_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    serving, _ = certificate(tmp_path)

    async def main() -> None:
        async with stream.serve(echo, ["tls://127.0.0.1:0"], ssl=serving) as server:
            with pytest.raises(stream.NoLinks, match="CERTIFICATE_VERIFY_FAILED"):
                async with stream.connect(server.addresses):
                    pass

    run(main())


def test_something_else_that_answers_is_named() -> None:
    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(bytes(48) + b"\x01" + bytes(32))
        await writer.drain()
        writer.close()

    async def main() -> None:
        async with await asyncio.start_server(talk, "127.0.0.1", 0) as other:
            port = other.sockets[0].getsockname()[1]
            with pytest.raises(stream.NoLinks, match="public key"):
                async with stream.connect([f"127.0.0.1:{port}"]):
                    pass

    run(main())


@pytest.mark.parametrize("addresses", [[], ["nonsense"]])
def test_wrong_addresses_are_wrong_at_once(addresses: list[str]) -> None:
    async def main() -> None:
        with pytest.raises(ValueError, match="address"):
            async with stream.connect(addresses):
                pass

    run(main())
