"""WebSockets as links: paths, proxies, and what no stream sends."""

from __future__ import annotations

import asyncio
import sys

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from alagg import stream
from alagg.stream.address import parse
from alagg.stream.websocket import dial
from tests.stream.faces import echo, run, until

HERE = ["ws://127.0.0.1:0/there"]


async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[0])
        host, _, port = asked[0].split()[1].decode().rpartition(":")
        there, back = await asyncio.open_connection(host, port)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(relay(reader, back), relay(there, writer))

    async def main() -> None:
        async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server, stream.serve(echo, HERE) as target:
            monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.setenv("ws_proxy", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
            async with stream.connect(target.addresses) as connection:
                connection.writer.write(b"through")
                assert await connection.reader.readexactly(7) == b"through"
            assert [line.split()[0] for line in asked] == [b"CONNECT"]

    run(main())


def test_another_path_is_no_link() -> None:
    async def main() -> None:
        async with stream.serve(echo, HERE) as server:
            elsewhere = server.addresses[0].replace("/there", "/here")
            with pytest.raises(stream.NoLinks, match=r"no WebSocket: .*404"):
                async with stream.connect([elsewhere]):
                    pass

    run(main())


def test_a_web_page_is_refused() -> None:
    async def main() -> None:
        async with stream.serve(echo, HERE) as server:
            with pytest.raises(InvalidStatus, match="403"):
                await connect(server.addresses[0], origin=Origin("https://page.example"), proxy=None)

    run(main())


def test_text_breaks_the_link() -> None:
    async def main() -> None:
        async with stream.serve(echo, HERE) as server, connect(server.addresses[0], proxy=None) as socket:
            await socket.send("hello")
            await socket.wait_closed()
            await until(lambda: server.refused == 1)

    run(main())


def test_without_the_library_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "websockets"]:
        monkeypatch.setitem(sys.modules, name, None)

    async def main() -> None:
        with pytest.raises(ValueError, match=r"pip install websockets"):
            await dial(parse("ws://127.0.0.1:1/"), None)
        with pytest.raises(ValueError, match=r"pip install websockets"):
            async with stream.serve(echo, HERE):
                pass

    run(main())
