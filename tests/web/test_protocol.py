"""Connections: slow, silent, greedy and confused clients cost a bounded time and room, and hold up nobody."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from alagg.web import protocol
from alagg.web.protocol import MAX_HEADERS, Protocol
from tests.web.clients import TOKEN, Running, Site, until

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Test = Callable[[Running, Site], Awaitable[None]]

ASK = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n"
WATCH = f"GET /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\r\n".encode()


def run(test: Test) -> None:
    async def running() -> None:
        site = Site()
        async with Running(site) as server:
            await asyncio.wait_for(test(server, site), 30)

    asyncio.run(running())


async def status(reader: asyncio.StreamReader) -> int:
    """Read an answer with a length; give its status."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(head.split()[1])


def test_several_requests_over_one_connection() -> None:
    async def test(server: Running, _: Site) -> None:
        reader, writer = await server.connect()
        writer.write(ASK * 3)
        assert [await status(reader) for _ in range(3)] == [200] * 3
        writer.close()

    run(test)


@pytest.mark.parametrize(
    "says",
    [b"", b"GET", ASK[:-2], b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\ntoken",
     WATCH[:-2] + b"content-length: 9\r\n\r\nx"],
)  # fmt: skip
def test_who_does_not_say_what_it_wants_is_not_waited_for(monkeypatch: pytest.MonkeyPatch, says: bytes) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.1)

    async def test(server: Running, _: Site) -> None:
        await server.say(says)

    run(test)


def test_drops_of_a_request_win_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "PATIENCE", 0.2)

    async def test(server: Running, _: Site) -> None:
        reader, writer = await server.connect()
        gone = asyncio.create_task(reader.read())
        for byte in ASK[:-1] * 100:
            writer.write(bytes((byte,)))
            await asyncio.wait({gone}, timeout=0.02)
            if gone.done():
                break
        assert gone.done()
        gone.exception()

    run(test)


def test_long_headers_are_refused() -> None:
    async def test(server: Running, _: Site) -> None:
        long = b"GET / HTTP/1.1\r\nhost: x\r\nx-long: " + b"x" * (2 * MAX_HEADERS)
        assert (await server.say(long)).startswith(b"HTTP/1.1 400 ")

    run(test)


@pytest.mark.parametrize(
    "says",
    [
        b"hello\r\n\r\n", b"\x16\x03\x01\x02\x00", b"GET / HTTP/1.1\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n", b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"GET / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n", b"GET / HTTP/1.1\r\nhost: x\r\n folded: y\r\nbad header\r\n\r\n",
        b"\r\n\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_http_is_told_so_and_no_fault_of_ours(says: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def test(server: Running, _: Site) -> None:
        answer = await server.say(says)
        assert answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501"))
        assert (await server.say(ASK[:-2] + b"connection: close\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    run(test)
    assert not caplog.records or "Traceback" not in caplog.text


def test_request_with_two_ends_smuggles_nothing() -> None:
    async def test(server: Running, site: Site) -> None:
        inner = WATCH.replace(b"GET /api/v1/events", b"PATCH /api/v1/links/office/fibre")
        outer = b"POST /login HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n"
        answer = await server.say(outer + inner)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert site.source.changes == []

    run(test)


@pytest.mark.parametrize("rest", [b"zz\r\nno chunk", b"-1\r\n", b"ffffffffffffffffffffff\r\n"])
@pytest.mark.parametrize("start", [WATCH, WATCH.replace(b"/api/v1/events", b"/x"), ASK])
def test_nonsense_amid_a_request_ends_it(start: bytes, rest: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def test(server: Running, _: Site) -> None:
        reader, writer = await server.connect()
        writer.write(start[:-2] + b"transfer-encoding: chunked\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(rest)
        with suppress(ConnectionResetError):
            await reader.read()

    run(test)
    assert not caplog.records, caplog.text


def test_upgrades_are_not_known() -> None:
    async def test(server: Running, _: Site) -> None:
        asks = ASK[:-2] + b"connection: upgrade, close\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n"
        assert (await server.say(asks)).startswith(b"HTTP/1.1 200 ")

    run(test)


def test_who_does_not_read_is_not_waited_for_and_takes_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "READ_PATIENCE", 0.2)

    async def test(server: Running, site: Site) -> None:
        site.source.says["filling"] = "x" * (8 << 20)
        _, writer = await server.connect(limit=1024)
        writer.write(WATCH.replace(b"events", b"status"))
        (one,) = await until(lambda: [one for one in server.connections if one.flow and one.flow.write_paused])
        assert one.transport.get_write_buffer_size() < 512 << 10  # pieces, not all of it
        await until(lambda: not server.connections)

    run(test)


def test_many_connections_are_bounded_and_the_silent_ones_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 20)

    async def test(server: Running, site: Site) -> None:
        watching, writer = await server.connect()
        writer.write(WATCH)
        await watching.readuntil(b"retry: 2000")
        others = await asyncio.gather(*(server.connect() for _ in range(100)))
        await until(lambda: len(server.connections) <= 20)
        reader, last = await server.connect()
        last.write(ASK)
        assert await status(reader) == 200
        site.source.happening.put_nowait({"kind": "link", "text": "still watching"})
        await watching.readuntil(b"still watching")
        assert len(others) == 100

    run(test)


def test_where_all_are_busy_the_newest_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 2)

    async def test(server: Running, __: Site) -> None:
        for _ in range(2):
            reader, writer = await server.connect()
            writer.write(WATCH)
            await reader.readuntil(b"retry: 2000")
        assert await server.say(ASK) == b""
        assert len(server.connections) == 2

    run(test)


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        (None, ""), ({}, ""), ({"subject": ((("commonName", "laptop"),),)}, "laptop"),
        ({"subject": (), "subjectAltName": (("DNS", "a.example"), ("DNS", "b.example"))}, "a.example, b.example"),
        ({"subject": ((("organizationName", "x"),),), "serialNumber": "0A"}, "0A"),
    ],
)  # fmt: skip
def test_name_in_a_certificate(certificate: dict[str, Any] | None, name: str) -> None:
    assert protocol._name(certificate) == name


def test_clocks_go_with_their_connection() -> None:
    async def test(server: Running, _: Site) -> None:
        reader, writer = await server.connect()
        writer.write(ASK)
        await status(reader)
        (one,) = server.connections
        assert isinstance(one, Protocol)
        writer.close()
        await until(lambda: not server.connections)
        assert one._waiting is None or one._waiting.cancelled()

    run(test)
