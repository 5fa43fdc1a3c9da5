"""The loop of one driver: what is to be called soon, in order, and one alarm."""

from __future__ import annotations

import anyio

from alagg.stream.anyio.loop import Loop
from tests.stream.anyio.helpers import on_both


@on_both
async def test_soon_then_at_its_time_and_nothing_that_was_cancelled() -> None:
    seen: list[str] = []
    loop = Loop()
    loop.call_soon(lambda: seen.append("cancelled")).cancel()
    loop.call_soon(lambda: seen.append("soon"))
    loop.call_at(loop.time() + 60, lambda: seen.append("replaced"))
    loop.call_at(loop.time() + 0.01, lambda: seen.append("alarm"))
    async with anyio.create_task_group() as group:
        group.start_soon(loop.run)
        while len(seen) < 2:  # noqa: ASYNC110 - what tests wait for tells nobody
            await anyio.sleep(0.001)
        loop.call_at(loop.time(), lambda: seen.append("never")).cancel()
        loop.call_soon(loop.stop)
    assert seen == ["soon", "alarm"]
