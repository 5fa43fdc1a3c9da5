"""Feed: asks a node how it is, again and again, and hears of its events as they happen."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any, Final

from alagg.control.client import request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

MAX_LINE: Final = 1 << 20
"""Bytes of the longest event that is read."""


class Feed:
    """A node at its control socket."""

    def __init__(self, socket_path: Path) -> None:
        """Ask there."""
        self._path = socket_path

    async def status(self) -> dict[str, Any]:
        """Ask how the node is.

        Raises:
            ControlError: no answer came; the text says why.
        """
        return await asyncio.to_thread(request, self._path, "status")

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Give what happens, until the node ends or cannot be reached; never raises for that."""
        with contextlib.suppress(OSError, ValueError):
            reader, writer = await asyncio.open_unix_connection(self._path, limit=MAX_LINE)
            try:
                writer.write(b"events\n")
                while line := await reader.readline():
                    event = json.loads(line)
                    if isinstance(event, dict) and "text" in event:
                        yield event
            finally:
                writer.close()
