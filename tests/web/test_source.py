"""The source: the node's status and events, and a line for each way in which they cannot be had."""

from __future__ import annotations

import asyncio
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from alagg.control.client import ControlError
from alagg.web.broker import Direct
from alagg.web.source import Source
from tests.web.fake_node import FakeNode

if TYPE_CHECKING:
    from pathlib import Path


class Saying:
    """A door behind which somebody says this, and hangs up."""

    def __init__(self, says: bytes) -> None:
        self.says = says

    def open(self, word: str) -> socket.socket:
        ours, theirs = socket.socketpair()
        threading.Thread(target=self._say, args=(theirs,), daemon=True).start()
        return ours

    def _say(self, theirs: socket.socket) -> None:
        """Say it, as far as somebody listens: it may be more than a socket holds."""
        with theirs, suppress(OSError):
            theirs.sendall(self.says)


async def events(source: Source, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async for event in source.events():
        found.append(event)
        if len(found) == count:
            break
    return found


def test_status(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "alagg.sock")
    try:
        assert asyncio.run(Source(Direct(node.path, tmp_path / "history.db"), node.path).status()) == node.says
    finally:
        node.close()


def test_events(tmp_path: Path) -> None:
    told = b'{"kind": "a"}\n{"kind": "b"}\n'
    assert asyncio.run(events(Source(Saying(told), tmp_path), 3)) == [{"kind": "a"}, {"kind": "b"}]


def test_history_is_handed_on_as_it_is(tmp_path: Path) -> None:
    assert asyncio.run(Source(Saying(b'{"since": 1}'), tmp_path).history(1, 2, 3)) == b'{"since": 1}'


@pytest.mark.parametrize("says", [b"", b"[]", b"{", b"HTTP/1.1 200"])
def test_status_that_is_none(tmp_path: Path, says: bytes) -> None:
    with pytest.raises(ControlError, match="is not understood"):
        asyncio.run(Source(Saying(says), tmp_path).status())


def test_refusals(tmp_path: Path) -> None:
    source = Source(Saying(b'{"error": "too many clients"}\n'), tmp_path)
    for question in (source.status(), events(source, 1)):
        with pytest.raises(ControlError, match="refuses: too many clients"):
            asyncio.run(question)


def test_events_that_are_none(tmp_path: Path) -> None:
    for says in (b"x\n", b"7\n", b"x" * (2 << 20)):
        with pytest.raises(ControlError, match="events cannot be read"):
            asyncio.run(events(Source(Saying(says), tmp_path), 1))
