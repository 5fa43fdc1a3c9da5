"""The stream of anyio: what its interface promises, and tests/stream/test_faces.py what all faces promise."""

from __future__ import annotations

from contextlib import aclosing

import anyio
import pytest

from alagg.stream import anyio as anystream
from tests.stream.anyio.helpers import on_both
from tests.stream.faces import LOCAL


async def echo(stream: anystream.Stream) -> None:
    async for data in stream:
        await stream.send(data)


@on_both
async def test_it_keeps_what_a_byte_stream_promises() -> None:
    async with anystream.serve(echo, LOCAL) as server, anystream.connect(server.addresses) as stream:
        await stream.send(b"abc")
        assert await stream.receive(2) == b"ab"
        assert await stream.receive(2) == b"c"
        with pytest.raises(ValueError, match="max_bytes"):
            await stream.receive(0)
        await stream.send_eof()
        with pytest.raises(anyio.ClosedResourceError):
            await stream.send(b"x")
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()
        await stream.aclose()
        with pytest.raises(anyio.ClosedResourceError):
            await stream.receive()


@on_both
async def test_two_readers_at_once_are_refused() -> None:
    async with (
        anystream.serve(echo, LOCAL) as server, anystream.connect(server.addresses) as stream,
        anyio.create_task_group() as group,
    ):  # fmt: skip
        group.start_soon(stream.receive)
        await anyio.sleep(0.01)
        with pytest.raises(anyio.BusyResourceError):
            await stream.receive()
        group.cancel_scope.cancel()


@on_both
async def test_what_happens_is_told_and_links_are_added() -> None:
    async with anystream.serve(echo, LOCAL) as server, anystream.connect(server.addresses[:1]) as stream:
        await stream.add(server.addresses[1])
        assert len(stream.links) == 2
        assert stream.error is None
        kinds: list[str] = []
        async with aclosing(stream.events()) as events:
            while kinds.count("link-up") < 2:
                kinds.append((await anext(events)).kind)
        assert kinds[0] == "link-new"


@on_both
async def test_the_side_that_is_connected_to_cannot_add() -> None:
    told: list[BaseException] = []

    async def handler(stream: anystream.Stream) -> None:
        try:
            await stream.add("127.0.0.1:1")
        except RuntimeError as error:
            told.append(error)

    async with anystream.serve(handler, LOCAL) as server, anystream.connect(server.addresses):
        while not told:  # noqa: ASYNC110 - nothing else tells
            await anyio.sleep(0.001)
