"""The hub: many look, the node is asked once; what is new is pushed, and who is slow misses what is old."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from alagg.control.client import ControlError
from alagg.web import hub as hubs
from alagg.web.hub import MAX_STREAMS, PAST, FullError, Hub, Stream, sse
from tests.web.clients import FakeSource
from tests.web.fake_node import link, status

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(test, 20))


class Bench:
    def __init__(self) -> None:
        self.source = FakeSource()
        self.hub = Hub(self.source)  # type: ignore[arg-type]

    async def next(self, messages: AsyncIterator[bytes], kind: str) -> Any:
        """Give the next message of a kind."""
        async for message in messages:
            name, data = message.decode().split("\n")[:2]
            if name == f"event: {kind}":
                return json.loads(data.removeprefix("data: "))
        raise AssertionError(kind)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.setattr(hubs, "FRESH", 0.02)
    monkeypatch.setattr(hubs, "AGAIN", 0.02)
    return Bench()


def test_one_answer_serves_all_who_ask(bench: Bench) -> None:
    async def test() -> None:
        answers = await asyncio.gather(*(bench.hub.status() for _ in range(100)))
        assert bench.source.asked == 1
        assert all(answer is answers[0] for answer in answers)
        assert json.loads(answers[0].json)["verdict"]["level"] == "ok"

    run(test())


def test_who_goes_away_does_not_take_the_answer_from_the_others(bench: Bench) -> None:
    async def test() -> None:
        first, second = asyncio.create_task(bench.hub.status()), asyncio.create_task(bench.hub.status())
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).values["links"]
        with suppress(asyncio.CancelledError):
            await first

    run(test())


def test_trouble_is_told_to_all_and_forgotten_when_it_is_over(bench: Bench) -> None:
    async def test() -> None:
        bench.source.trouble = ControlError("no node listens")
        for _ in range(2):
            with pytest.raises(ControlError, match="no node listens"):
                await bench.hub.status()
        bench.source.trouble = None
        await bench.hub.status()

    run(test())


def test_status_is_pushed_at_once_and_after_each_event(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "INTERVAL", 3600.0)  # nothing here comes by the clock

    async def test() -> None:
        following = asyncio.create_task(bench.hub.run())
        messages = bench.hub.watch().messages()
        assert (await bench.next(messages, "status"))["links"][0]["state"] == "up"
        bench.source.says = status(link("fibre", state="down", reason="no carrier"))
        bench.source.happening.put_nowait({"kind": "link", "text": "fibre is down"})
        assert (await bench.next(messages, "event"))["text"] == "fibre is down"
        assert (await bench.next(messages, "status"))["verdict"]["text"] == "1 of 1 links is bad"
        bench.source.trouble = ControlError("it has ended")
        bench.source.happening.put_nowait(None)
        assert await bench.next(messages, "trouble") == {"text": "it has ended"}
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following
        assert [message async for message in messages] == []  # the stream ends with the hub

    run(test())


def test_nobody_watches_so_the_node_is_not_asked(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "INTERVAL", 0.0)

    async def test() -> None:
        following = asyncio.create_task(bench.hub.run())
        await asyncio.sleep(0.1)
        assert bench.source.asked == 0
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following

    run(test())


def test_who_is_slow_gets_the_newest_status_and_the_newest_events(bench: Bench) -> None:
    async def test() -> None:
        stream = bench.hub.watch()
        for number in range(PAST + 50):
            stream.tell(b"event %d" % number)
            stream.show(b"status %d" % number)
        stream.end()
        messages = [message async for message in stream.messages()]
        assert messages == []  # an end is an end
        again = Stream(stream.events)
        again.show(b"the newest")
        got: list[bytes] = []
        async for message in again.messages():
            got.append(message)
            if message == b"the newest":
                break
        assert got == [*(b"event %d" % number for number in range(50, PAST + 50)), b"the newest"]

    run(test())


def test_who_comes_later_is_told_what_has_happened(bench: Bench) -> None:
    async def test() -> None:
        following = asyncio.create_task(bench.hub.run())
        early = bench.hub.watch().messages()
        bench.source.happening.put_nowait({"kind": "link", "text": "fibre is down"})
        await bench.next(early, "event")
        assert (await bench.next(bench.hub.watch().messages(), "event"))["text"] == "fibre is down"
        following.cancel()

    run(test())


def test_streams_are_bounded(bench: Bench) -> None:
    async def test() -> None:
        streams = [bench.hub.watch() for _ in range(MAX_STREAMS)]
        with pytest.raises(FullError):
            bench.hub.watch()
        bench.hub.unwatch(streams[0])
        bench.hub.unwatch(streams[0])
        bench.hub.watch()

    run(test())


def test_after_a_change_the_next_look_is_a_new_one(bench: Bench) -> None:
    async def test() -> None:
        await bench.hub.status()
        await bench.hub.change([{"do": "block"}])
        await bench.hub.status()
        assert bench.source.asked == 2
        bench.source.refusal = ControlError("no")
        with pytest.raises(ControlError):
            await bench.hub.change([{"do": "unblock"}, {"do": "set"}])
        assert bench.source.changes == [{"do": "block"}]

    run(test())


def test_node_is_not_asked_more_often_however_much_happens(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "FRESH", 0.1)

    async def test() -> None:
        begun = time.monotonic()
        for _ in range(50):
            bench.hub._take({"kind": "link"})
            await asyncio.wait({asyncio.create_task(bench.hub.status())}, timeout=0.004)
        assert bench.source.asked <= (time.monotonic() - begun) / 0.1 + 1
        await bench.hub.status()  # what is under way ends

    run(test())


def test_message_is_one_line_whatever_the_node_says() -> None:
    assert sse("event", json.dumps({"text": "a\nb\r\n\n"}).encode()).count(b"\n") == 3
