"""The feed: what a node says at its socket, and no noise when it ends."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg.control.client import ControlError
from alagg.monitor.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

EVENT = {"kind": "link_state_changed", "time": "2026-01-01T00:00:00Z", "text": "link fibre to office is down"}


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    asked = (await reader.readline()).decode().strip()
    lines = {"status": [{"version": "1"}], "events": [EVENT, EVENT]}[asked]
    writer.write("".join(f"{json.dumps(line)}\n" for line in lines).encode())
    if asked == "events":
        writer.write(b"[1]\nthis is no JSON\n")
    await writer.drain()
    writer.close()
    await writer.wait_closed()


def with_node(path: Path, work: Callable[[Feed], Coroutine[Any, Any, Any]]) -> Any:
    async def run() -> Any:
        async with await asyncio.start_unix_server(_serve, path):
            return await work(Feed(path))

    return asyncio.run(run())


def test_status(tmp_path: Path) -> None:
    assert with_node(tmp_path / "s", lambda feed: feed.status()) == {"version": "1"}


def test_events_until_the_node_ends_or_makes_no_sense(tmp_path: Path) -> None:
    async def read(feed: Feed) -> list[dict[str, Any]]:
        return [event async for event in feed.events()]

    assert with_node(tmp_path / "s", read) == [EVENT, EVENT]
    assert asyncio.run(read(Feed(tmp_path / "nobody"))) == []


def test_nobody_there(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="no node listens"):
        asyncio.run(Feed(tmp_path / "nobody").status())
