"""Links over what a program has already: a pair of reader and writer, a pair of queues."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from alagg.stream.carrier import Carrier
from alagg.stream.pump import PIECE, Pump

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Medium(NamedTuple):
    """Something that one link can go over."""

    text: str
    """The link's name."""
    open: Callable[[], Awaitable[Pump]]
    again: bool
    """Whether it can be opened again after it broke."""


def over(open_streams: Callable[[], Awaitable[Streams]], *, name: str = "streams") -> Medium:
    """Make a link of any reader and writer; what opens them is called again, with back-off, when they break.

    Args:
        open_streams: a coroutine function; raises `OSError` where it cannot.
        name: the link's name.
    """

    async def opened() -> Pump:
        return _pump(name, *await open_streams())

    return Medium(name, opened, again=True)


def over_streams(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, name: str = "streams") -> Medium:
    """Make a link of a reader and a writer that are open; when they break it is over."""

    async def opened() -> Pump:
        return _pump(name, reader, writer)

    return Medium(name, opened, again=False)


def _pump(name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Pump:
    async def send(data: bytes) -> None:
        writer.write(data)
        await writer.drain()

    async def close() -> None:
        writer.close()
        await writer.wait_closed()

    return Pump(name, lambda: reader.read(PIECE), send, close)


def over_queues(
    incoming: asyncio.Queue[bytes], outgoing: asyncio.Queue[bytes], *, name: str = "queues"
) -> Medium:
    """Make a link of two queues of bytes; an empty piece is its end. Bounded ones hold back who writes."""

    async def opened() -> Pump:
        return Pump(name, incoming.get, outgoing.put, lambda: outgoing.put(b""))

    return Medium(name, opened, again=False)


async def dial(medium: Medium) -> Carrier:
    """Open a link.

    Raises:
        OSError: it cannot be opened.
    """
    carrier = Carrier()
    (await medium.open()).start(carrier)
    return carrier
