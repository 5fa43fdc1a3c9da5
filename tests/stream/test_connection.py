"""A connection over real sockets: streams, links that are blocked and removed, events, ends."""

from __future__ import annotations

import asyncio

import pytest

from alagg import stream
from tests.stream.faces import LOCAL, echo, joined, run, until

SIZE = 2_000_000


def test_everything_comes_back_over_both_links() -> None:
    async def main() -> None:
        async with joined() as connection:
            data = bytes(range(250)) * (SIZE // 250)

            async def send() -> None:
                connection.writer.write(data)
                await connection.writer.drain()
                connection.writer.write_eof()

            _, back = await asyncio.gather(send(), connection.reader.read())
            assert back == data
            assert all(link.statistics.sent > 1000 for link in connection.links)

    run(main())


def test_links_are_shown_and_blocked() -> None:
    async def main() -> None:
        async with joined() as connection:
            first = connection.links[0]
            first.block()
            assert (first.state, first.reason) == ("blocked", "blocked here")
            assert "blocked" in repr(first)
            connection.writer.write(b"x" * 1000)
            assert await connection.reader.readexactly(1000) == b"x" * 1000
            first.unblock()
            assert first.state == "up"
            shown = connection.writer.get_extra_info("links")
            assert [link.name for link in shown] == [link.name for link in connection.links]

    run(main())


def test_a_removed_link_stays_away_and_the_stream_goes_on() -> None:
    async def main() -> None:
        async with joined() as connection:
            first, second = connection.links
            await first.remove()
            await asyncio.sleep(0.3)
            assert [link.name for link in connection.links] == [second.name]
            connection.writer.write(b"still")
            assert await connection.reader.readexactly(5) == b"still"
            await connection.add(first.name)
            assert len(connection.links) == 2

    run(main())


def test_events_tell_what_happened_and_end_with_the_end() -> None:
    async def main() -> None:
        async with joined() as connection:

            async def watch() -> list[str]:
                return [event.kind async for event in connection.events()]

            watching = asyncio.create_task(watch())
            await asyncio.sleep(0)
            connection.abort()
            kinds = await watching
            assert kinds.count("link-up") == 2
            assert kinds[-1] == "ended"
            with pytest.raises(stream.StreamAborted):
                await connection.reader.read(1)

    with pytest.raises(stream.StreamAborted):
        run(main())


def test_a_handler_that_fails_resets_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(connection: stream.Connection) -> None:
        await connection.reader.readexactly(1)
        raise LookupError("nobody knows")

    async def main() -> None:
        async with stream.serve(fail, LOCAL) as server, stream.connect(server.addresses) as connection:
            connection.writer.write(b"x")
            with pytest.raises(stream.StreamReset) as caught:
                await connection.reader.read(1)
            assert caught.value.should_reconnect
            await until(lambda: not server.connections)

    with pytest.raises(stream.StreamReset):
        run(main())
    assert "nobody knows" in caplog.text


def test_only_who_connected_can_add_links() -> None:
    async def refuse(connection: stream.Connection) -> None:
        with pytest.raises(RuntimeError, match="only the side that connected"):
            await connection.add("127.0.0.1:1")
        await echo(connection)

    async def main() -> None:
        async with stream.serve(refuse, LOCAL) as server, stream.connect(server.addresses) as connection:
            connection.writer.write_eof()
            assert await connection.reader.read() == b""

    run(main())
