"""Serving on anyio: strangers are counted, handlers that fail abort, and nothing stays behind."""

from __future__ import annotations

import anyio
import pytest

from alagg.stream import anyio as anystream
from tests.stream.anyio.helpers import on_both
from tests.stream.anyio.test_face import echo
from tests.stream.faces import LOCAL


@on_both
async def test_strangers_are_refused_and_counted() -> None:
    async with anystream.serve(echo, LOCAL) as server:
        host, _, port = server.addresses[0].rpartition(":")
        async with await anyio.connect_tcp(host, int(port)) as stranger:
            await stranger.send(b"GET / HTTP/1.1\r\n" + bytes(100))
            with pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError)):
                await stranger.receive()
        assert (server.refused, server.connections) == (1, 0)


@on_both
async def test_more_connections_than_allowed_are_refused() -> None:
    async with anystream.serve(echo, LOCAL, max_connections=1) as server, anystream.connect(server.addresses):
        with pytest.raises(ConnectionError):
            async with anystream.connect(server.addresses[:1]):
                pass
        assert server.connections == 1


@on_both
async def test_a_handler_that_fails_aborts_its_connection() -> None:
    async def fails(stream: anystream.Stream) -> None:
        await stream.receive()
        raise ValueError

    async with anystream.serve(fails, LOCAL) as server:
        async with anystream.connect(server.addresses) as stream:
            await stream.send(b"x")
            with pytest.raises(anyio.BrokenResourceError):
                await stream.receive()
        assert stream.error is not None
        assert stream.error.reason == "reset"


@on_both
async def test_a_wrong_address_is_named() -> None:
    with pytest.raises(ValueError, match="certificate"):
        async with anystream.serve(echo, ["tls://127.0.0.1:0"]):
            pass


@on_both
async def test_links_that_a_program_opened_are_admitted() -> None:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with listener, anystream.serve(echo, []) as server, anyio.create_task_group() as group:
        group.start_soon(listener.serve, server.admit)
        async with anystream.connect([f"127.0.0.1:{port}"]) as stream:
            await stream.send(b"x")
            assert await stream.receive() == b"x"
        group.cancel_scope.cancel()
