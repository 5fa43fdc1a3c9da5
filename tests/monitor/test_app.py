"""The terminal view as somebody sits before it: it shows the node live, says when it is gone, and obeys its keys."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from textual.widgets import Static

from alagg.control.client import ControlError
from alagg.monitor.app import Monitor
from tests.metrics.status import link, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from textual.pilot import Pilot

EVENT = {"time": "2026-11-27T03:12:13.000Z", "text": "link fibre to office is silent: no answer"}


class FakeNode:
    """Answers what the test says, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.state = "up"
        self.gone = False
        self.happened: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def status(self) -> dict[str, Any]:
        self.asked += 1
        if self.gone:
            raise ControlError("no node listens at /run/x; is it running?")
        well = {"recent": {}, "loss": 0.0, "tx_loss": 0.0}
        fibre = link("office", "fibre", **well, state=self.state, tx_bytes=self.asked * 1000)
        return status(fibre, link("office", "copper", **well), uptime_s=float(self.asked))

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        while True:
            yield await self.happened.get()


def watch(work: Callable[[Pilot[None], FakeNode], Coroutine[Any, Any, None]], interval: float = 0.01) -> None:
    async def run() -> None:
        node = FakeNode()
        app = Monitor(node, interval=interval)
        async with app.run_test(size=(80, 24)) as pilot:
            await until(pilot, lambda: "fibre" in text(pilot, "body"))
            await work(pilot, node)

    asyncio.run(run())


def text(pilot: Pilot[None], name: str) -> str:
    return str(pilot.app.query_one(f"#{name}", Static).visual)


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        await pilot.pause(0.01)
    raise AssertionError(f"never came: {pilot.app.query_one('#body', Static).visual}")


def test_it_shows_the_node_live() -> None:
    async def work(pilot: Pilot[None], node: FakeNode) -> None:
        assert text(pilot, "head").startswith("alagg 1.2.3")
        await until(pilot, lambda: "8.0 k" in text(pilot, "body"))
        node.state = "silent"
        await until(pilot, lambda: "1 of 2 links is bad" in text(pilot, "body"))

    watch(work)


def test_an_event_is_shown_and_has_the_node_asked_at_once() -> None:
    async def work(pilot: Pilot[None], node: FakeNode) -> None:
        node.state = "silent"
        node.happened.put_nowait(EVENT)
        await until(pilot, lambda: "03:12:13 link fibre to office is silent" in text(pilot, "events"))
        await until(pilot, lambda: "is bad" in text(pilot, "body"))

    watch(work, interval=1000.0)


def test_a_node_that_is_gone_is_named_and_its_return_seen() -> None:
    async def work(pilot: Pilot[None], node: FakeNode) -> None:
        node.gone = True
        await until(pilot, lambda: "is it running?" in text(pilot, "trouble"))
        assert "fibre" in text(pilot, "body")
        node.gone = False
        await until(pilot, lambda: not pilot.app.query_one("#trouble").display)

    watch(work)


def test_keys() -> None:
    async def work(pilot: Pilot[None], node: FakeNode) -> None:
        await pilot.press("p")
        assert "paused" in text(pilot, "head")
        await pilot.pause(0.05)
        asked = node.asked
        await pilot.pause(0.05)
        assert node.asked == asked
        node.state = "down"
        await pilot.press("p", "w")
        await until(pilot, lambda: "is bad" in text(pilot, "body"))
        body = text(pilot, "body")
        assert body.index("\nfibre") < body.index("\ncopper")
        await pilot.resize_terminal(120, 40)
        await pilot.press("q")
        assert not pilot.app.is_running

    watch(work)
