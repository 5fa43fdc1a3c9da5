"""Connecting on anyio: kinds of links, links that break and come back, and plain errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from alagg.stream import NoLinks
from alagg.stream import anyio as anystream
from tests.stream.anyio.helpers import on_both
from tests.stream.anyio.test_face import echo
from tests.stream.faces import LOCAL, certificate

if TYPE_CHECKING:
    from pathlib import Path

    from anyio.abc import ByteStream


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_tcp_tls_unix_and_any_stream_in_one_connection(backend: str, tmp_path: Path) -> None:
    server_context, client_context = certificate(tmp_path)

    async def main() -> None:
        where = ["127.0.0.1:0", "tls://127.0.0.1:0", f"unix:{tmp_path}/s"]
        async with anystream.serve(echo, where, ssl=server_context) as server:

            async def given() -> ByteStream:
                return await anyio.connect_unix(f"{tmp_path}/s")

            async with anystream.connect([*server.addresses, given], ssl=client_context) as stream:
                while [link.state for link in stream.links] != ["up"] * 4:  # noqa: ASYNC110 - nothing else tells
                    await anyio.sleep(0.001)
                for link in stream.links[1:]:
                    await link.remove()
                    await stream.send(b"x")
                    assert await stream.receive() == b"x"
        assert not (tmp_path / "s").exists()

    anyio.run(main, backend=backend)


@on_both
async def test_a_link_that_breaks_is_opened_again() -> None:
    opened: list[ByteStream] = []
    async with anystream.serve(echo, LOCAL) as server:
        host, _, port = server.addresses[0].rpartition(":")

        async def first() -> ByteStream:
            opened.append(await anyio.connect_tcp(host, int(port)))
            return opened[-1]

        async with anystream.connect([first, server.addresses[1]]) as stream:
            while len(stream.links) < 2:  # noqa: ASYNC110 - nothing else tells
                await anyio.sleep(0.001)
            await opened[0].aclose()
            while len(opened) < 2 or len(stream.links) < 2:  # noqa: ASYNC110 - nothing else tells
                await anyio.sleep(0.001)
            await stream.send(b"again")
            assert await stream.receive() == b"again"


@on_both
async def test_what_cannot_be_opened_is_named() -> None:
    with pytest.raises(NoLinks, match=r"127\.0\.0\.1:1: "):
        async with anystream.connect(["127.0.0.1:1", "127.0.0.2:1"]):
            pass
    with pytest.raises(ValueError, match="at least one"):
        async with anystream.connect([]):
            pass
    with pytest.raises(ValueError, match="need asyncio"):
        async with anystream.connect(["ws://127.0.0.1:1/"]):
            pass


@on_both
async def test_what_the_block_raises_comes_out_as_it_is() -> None:
    async with anystream.serve(echo, LOCAL) as server:
        with pytest.raises(KeyError):
            async with anystream.connect(server.addresses):
                raise KeyError
