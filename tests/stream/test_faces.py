"""One suite for all faces: streams, transport and protocol, anyio; on asyncio, uvloop and trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from alagg.stream import Settings
from tests.stream.ends import BACKENDS, ENDED, EVERY, pair

if TYPE_CHECKING:
    from tests.stream.ends import End

Test = Callable[..., Awaitable[None]]
DATA = bytes(range(256)) * 12_000


def on_each_face(test: Test) -> Any:
    """Have a coroutine function be a test of each face on each backend."""

    @pytest.mark.parametrize(("face", "backend"), EVERY)
    def run(face: str, backend: str) -> None:
        async def limited() -> None:
            with anyio.fail_after(20):
                await test(face)

        name, options = BACKENDS[backend]
        anyio.run(limited, backend=name, backend_options=options)

    run.__name__ = test.__name__
    return run


async def all_of(end: End) -> bytes:
    parts = []
    while data := await end.receive():
        parts.append(data)
    return b"".join(parts)


async def send_all(end: End, data: bytes, piece: int = 100_000) -> None:
    for at in range(0, len(data), piece):
        await end.send(data[at : at + piece])
    await end.send_eof()


@on_each_face
async def test_both_directions_arrive_whole_at_once(face: str) -> None:
    got: dict[int, bytes] = {}

    async def receive(number: int, end: End) -> None:
        got[number] = await all_of(end)

    async with pair(face) as ends, anyio.create_task_group() as group:
        for number, end in enumerate(ends):
            group.start_soon(send_all, end, DATA[number:])
            group.start_soon(receive, number, end)
    assert got == {0: DATA[1:], 1: DATA}


@on_each_face
async def test_one_direction_ends_alone(face: str) -> None:
    async with pair(face) as (here, there):
        await send_all(here, b"question")
        assert await all_of(there) == b"question"
        assert await there.receive() == b""
        await send_all(there, b"answer")
        assert await all_of(here) == b"answer"
        assert await here.receive() == b""
        with pytest.raises(ENDED):
            await here.send(b"more")


@on_each_face
async def test_both_ends_half_close_at_the_same_time(face: str) -> None:
    async with pair(face) as (here, there):
        await here.send(b"a")
        await there.send(b"b")
        await here.send_eof()
        await there.send_eof()
        assert (await all_of(here), await all_of(there)) == (b"b", b"a")
        await here.close()
        assert (here.error, there.error) == (None, None)


@on_each_face
async def test_a_peer_that_aborts_is_named(face: str) -> None:
    with suppress(*ENDED):
        async with pair(face) as (here, there):
            there.abort()
            with pytest.raises(ENDED):
                await all_of(here)
            assert here.error is not None
            assert (here.error.reason, here.error.should_reconnect) == ("reset", True)
            with pytest.raises(ENDED):
                await here.send(b"x")


@on_each_face
async def test_who_does_not_read_stops_who_writes(face: str) -> None:
    sent = 0
    with suppress(*ENDED):
        async with pair(face, settings=Settings(receive_limit=1 << 20)) as (here, _):
            with anyio.move_on_after(0.3):
                while sent < 1 << 26:
                    await here.send(bytes(1 << 17))
                    sent += 1 << 17
            here.abort()
    assert sent < 1 << 24


@on_each_face
async def test_a_cancelled_receive_loses_nothing(face: str) -> None:
    async with pair(face) as (here, there):
        for number in range(20):
            with anyio.move_on_after(0.001 * (number % 3)):
                await there.receive()
                pytest.fail("nothing was sent")
        await here.send(b"whole")
        assert await there.receive() == b"whole"


@on_each_face
async def test_links_are_shown_blocked_and_removed(face: str) -> None:
    async with pair(face) as (here, there):
        here.links[0].block()
        assert here.links[0].state == "blocked"
        await here.send(b"by the other")
        assert await there.receive() == b"by the other"
        here.links[0].unblock()
        await here.links[0].remove()
        assert len(here.links) == 1
        await here.send(b"still")
        assert await there.receive() == b"still"


@on_each_face
async def test_closing_waits_until_all_has_arrived(face: str) -> None:
    got = b""
    async with pair(face) as (here, there), anyio.create_task_group() as group:

        async def receive() -> None:
            nonlocal got
            got = await all_of(there)
            await there.send_eof()

        group.start_soon(receive)
        await here.send(DATA)
        await here.close()
        await here.close()
    assert got == DATA


@on_each_face
async def test_who_is_cancelled_while_it_closes_can_abort(face: str) -> None:
    got = None
    with suppress(*ENDED):
        async with pair(face) as (here, there):
            await here.send(DATA[: 1 << 18])
            with anyio.move_on_after(0.02):
                await here.close()
            here.abort()
            got = await all_of(there)
    assert got in (None, DATA[: 1 << 18]), "what was cut short looks whole"


@on_each_face
async def test_a_program_that_is_cancelled_leaves_nothing_behind(face: str) -> None:
    for delay in (0.0, 0.001, 0.005, 0.02):
        with anyio.move_on_after(delay):
            async with pair(face) as (here, _):
                while True:
                    await here.send(bytes(100_000))
