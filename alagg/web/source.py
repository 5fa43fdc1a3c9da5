"""What the node says: its status, and its events as they happen, read from its control socket."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any, Final

from alagg.control.client import MAX_ANSWER, TIMEOUT, ControlError, NodeRefusesError, answer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from alagg.web.broker import Door

CHANGE_TIME: Final = 30.0
"""Seconds that a change may take: the node gives links and routes their time, as with a reload."""
MAX_LINE: Final = 1 << 20
"""Bytes of the longest event that is read."""


class Source:
    """Asks the node, over a connection for each question."""

    def __init__(self, door: Door, path: Path) -> None:
        """Go through `door`; `path` is where the node is, for the words of errors."""
        self._door = door
        self._path = path
        self._one_at_a_time = asyncio.Lock()

    async def status(self) -> dict[str, Any]:
        """Give the node's status.

        Raises:
            ControlError: there is none to be had; the text is one line for the user.
        """
        return await self._answer("status")

    async def history(self, since: int, until: int, step: int) -> bytes:
        """Give what happened in a time (`alagg.history.Store.query`), as JSON.

        Raises:
            ControlError: there is no history.
        """
        reader, writer = await self._ask(f"history {since} {until} {step}")
        try:
            return await asyncio.wait_for(_read(reader), CHANGE_TIME)
        except (OSError, asyncio.TimeoutError):
            raise ControlError("the history cannot be read") from None
        finally:
            writer.close()

    async def change(self, change: dict[str, Any]) -> None:
        """Have the node do something to a link.

        Raises:
            ControlError: it does not answer.
            NodeRefusesError: it does not do it.
        """
        await self._answer(f"link {json.dumps(change)}", CHANGE_TIME)

    async def _answer(self, question: str, patience: float = TIMEOUT) -> dict[str, Any]:
        reader, writer = await self._ask(question)
        try:
            return answer(self._path, await asyncio.wait_for(_read(reader), patience))
        except asyncio.TimeoutError:
            raise ControlError(f"the node at {self._path} does not answer within {patience:g} s") from None
        except OSError as error:
            raise ControlError(f"cannot talk to the node at {self._path}: {error.strerror or error}") from None
        finally:
            writer.close()

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """Give the node's events from now on, until the node ends.

        Raises:
            ControlError: there are none to be had.
        """
        reader, writer = await self._ask("events")
        try:
            while line := await reader.readline():
                event = json.loads(line)
                if not isinstance(event, dict):
                    raise ControlError("the node's events cannot be read: they are no objects")
                if "error" in event:
                    raise NodeRefusesError(self._path, str(event["error"]))
                yield event
        except (OSError, ValueError) as error:
            raise ControlError(f"the node's events cannot be read: {error}") from None
        finally:
            writer.close()

    async def _ask(self, word: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with self._one_at_a_time:
            connection = await asyncio.to_thread(self._door.open, word)
        connection.setblocking(False)
        return await asyncio.open_connection(sock=connection, limit=MAX_LINE)


async def _read(reader: asyncio.StreamReader) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= MAX_ANSWER and (part := await reader.read(1 << 18)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)
