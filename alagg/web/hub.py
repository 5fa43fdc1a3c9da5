"""The hub: asks the node for all who look at it, and hands on what it says; whoever is slow misses what is old."""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from alagg.control.client import ControlError
from alagg.web.words import verdict_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from alagg.web.source import Source

INTERVAL: Final = 1.0
"""Seconds between two looks at the node while anybody watches."""
SHARE: Final = 20
"""A look that took the node long is followed by a pause so many times as long."""
FRESH: Final = 0.25
"""Seconds for which one answer of the node serves all who ask."""
AGAIN: Final = 1.0
"""Seconds after which a node that was not there is looked for again."""
MAX_STREAMS: Final = 100
"""Streams at the same time."""
PAST: Final = 200
"""Events that are kept for those who come later; so many wait at most for one who is slow."""


class FullError(Exception):
    """So many watch already that no one else may."""


class Status:
    """One answer of the node."""

    def __init__(self, values: dict[str, Any], asked: float) -> None:
        """Take the node's answer, and add the verdict.

        Args:
            values: the answer.
            asked: when the node was asked, a time of `time.monotonic`.
        """
        self.values = values | {"verdict": verdict_of(values)}
        self.json = json.dumps(self.values).encode()
        self.asked = asked


class Stream:
    """What waits for one who watches: the newest status, the newest trouble, and events."""

    def __init__(self, past: deque[bytes]) -> None:
        """Begin with what has happened."""
        self.events: deque[bytes] = deque(past, maxlen=PAST)
        self.newest: bytes | None = None
        self._ready = asyncio.Event()
        self._ready.set()
        self._ended = False

    def show(self, message: bytes) -> None:
        """Have this message sent next, in place of one that has not been sent yet."""
        self.newest = message
        self._ready.set()

    def tell(self, event: bytes) -> None:
        """Have an event sent; where too many wait, the oldest makes room."""
        self.events.append(event)
        self._ready.set()

    def end(self) -> None:
        """Send nothing any more."""
        self._ended = True
        self._ready.set()

    async def messages(self) -> AsyncIterator[bytes]:
        """Give message after message, until the end."""
        while not self._ended:
            await self._ready.wait()
            self._ready.clear()
            while self.events:
                yield self.events.popleft()
            if self.newest is not None:
                message, self.newest = self.newest, None
                yield message


class Hub:
    """One for the process."""

    def __init__(self, source: Source) -> None:
        """Ask `source` when somebody wants to know."""
        self._source = source
        self._streams: set[Stream] = set()
        self._past: deque[bytes] = deque(maxlen=PAST)
        self._latest: Status | None = None
        self._asked = float("-inf")
        self._changed = 0.0
        """When something has happened: what was asked before knows nothing of it."""
        self._asking: asyncio.Task[Status] | None = None
        self._hurry = asyncio.Event()
        self._reading = asyncio.Lock()

    async def status(self) -> Status:
        """Give the node's status, not older than `FRESH` or the last event; who asks meanwhile gets the same.

        Raises:
            ControlError: the node does not answer.
        """
        changed = self._changed
        found = self._latest
        if found and time.monotonic() - found.asked >= FRESH:
            found = None
        while found is None or found.asked < changed:  # twice at most: what is under way may be too old
            if self._asking is None:
                self._asking = asyncio.create_task(self._ask(), name="status")
                self._asking.add_done_callback(_looked_at)
            # Whoever goes away meanwhile does not take the answer from the others.
            found = await asyncio.shield(self._asking)
        return found

    async def _ask(self) -> Status:
        try:
            await asyncio.sleep(max(0.0, self._asked + FRESH - time.monotonic()))
            self._asked = asked = time.monotonic()
            self._latest = Status(await self._source.status(), asked)
            return self._latest
        finally:
            self._asking = None

    async def history(self, since: int, until: int, step: int) -> bytes:
        """Give what happened in a time, as JSON; one reads at a time.

        Raises:
            ControlError: there is no history.
        """
        async with self._reading:
            return await self._source.history(since, until, step)

    async def change(self, changes: list[dict[str, Any]]) -> None:
        """Have the node do something to a link, and everybody see it at once.

        Raises:
            ControlError: it does not answer, or does not do it.
        """
        try:
            for change in changes:
                await self._source.change(change)
        finally:
            self._changed = time.monotonic()
            self._hurry.set()

    def watch(self) -> Stream:
        """Begin a stream.

        Raises:
            FullError: there are too many.
        """
        if len(self._streams) >= MAX_STREAMS:
            raise FullError
        stream = Stream(self._past)
        self._streams.add(stream)
        self._hurry.set()
        return stream

    def unwatch(self, stream: Stream) -> None:
        """Forget a stream."""
        self._streams.discard(stream)

    async def run(self) -> None:
        """Follow the node until cancelled."""
        try:
            await asyncio.gather(self._follow_status(), self._follow_events())
        finally:
            self.close()

    def close(self) -> None:
        """End all streams."""
        for stream in self._streams:
            stream.end()

    async def _follow_status(self) -> None:
        while True:
            started = time.monotonic()
            if self._streams:
                await self._show_status()
            pause = max(INTERVAL, SHARE * (time.monotonic() - started))
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._hurry.wait(), pause)
            await asyncio.sleep(max(0.0, started + FRESH - time.monotonic()))
            self._hurry.clear()

    async def _show_status(self) -> None:
        try:
            message = sse("status", (await self.status()).json)
        except ControlError as error:
            message = sse("trouble", json.dumps({"text": str(error)}).encode())
        for stream in self._streams:
            stream.show(message)

    async def _follow_events(self) -> None:
        while True:
            with suppress(ControlError):
                async for event in self._source.events():
                    self._take(event)
            self._hurry.set()  # it has ended: those who watch want to know
            await asyncio.sleep(AGAIN)

    def _take(self, event: dict[str, Any]) -> None:
        self._changed = time.monotonic()
        message = sse("event", json.dumps(event).encode())
        self._past.append(message)
        for stream in self._streams:
            stream.tell(message)
        self._hurry.set()


def _looked_at(task: asyncio.Task[Status]) -> None:
    """Take note of how a question ended, also when all who asked have gone meanwhile."""
    if not task.cancelled():
        task.exception()


def sse(kind: str, data: bytes) -> bytes:
    """Give a message of a stream of server-sent events; `data` is one line (HTML, 9.2.5)."""
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), data)
