"""A link's bytes over any `ByteStream` of anyio: two tasks, one for each direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import anyio
from anyio.abc import SocketAttribute

from alagg.stream.carrier import JOINING_BUFFER, SEND_BUFFER

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import ByteStream

    from alagg.stream.driver import Driver

PIECE: Final = 1 << 16
"""Bytes that are handed on at once."""
FAREWELL: Final = 1.0
"""Seconds that the last bytes of a link, and its closing, may take."""


class Gone:
    """Why a link is over, once it is."""

    def __init__(self) -> None:
        """It lives."""
        self._reason: str | None = None
        self._event = anyio.Event()

    def done(self) -> bool:
        """Tell whether it is over."""
        return self._reason is not None

    def result(self) -> str:
        """Give why."""
        return self._reason or ""

    def tell(self, reason: str) -> None:
        """Say why it is over; the first reason stays."""
        if self._reason is None:
            self._reason = reason
            self._event.set()

    async def wait(self) -> None:
        """Wait until it is over."""
        await self._event.wait()


class Carrier:
    """One link's stream; `run` moves its bytes."""

    def __init__(self, stream: ByteStream, name: str = "") -> None:
        """Take a stream that is open; `name` says what it is where it has no address."""
        self.writable = True
        self.driver: Driver | None = None
        self.gone = Gone()
        self._stream = stream
        self._name = name
        self._early = bytearray()
        self._out = bytearray()
        self._came, self._work, self._attached = anyio.Event(), anyio.Event(), anyio.Event()
        self._scope = anyio.CancelScope()
        self._closing = False
        self._broken = False

    async def run(self) -> None:
        """Move bytes both ways until the link is over; it never raises what the link does."""
        try:
            with self._scope:
                async with anyio.create_task_group() as group:
                    group.start_soon(self._guard, self._take)
                    group.start_soon(self._guard, self._give)
        finally:
            self._over("closed")
            await self._farewell()

    async def _guard(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except anyio.EndOfStream:
            self._over("closed by the other end")
        except Exception as error:  # noqa: BLE001 - whatever the stream raises, the link has broken
            self._broken = True
            self._over(str(error) or type(error).__name__)
        self._scope.cancel()

    def _over(self, reason: str) -> None:
        if self.gone.done():
            return
        self.gone.tell(reason)
        self._came.set()
        if self.driver is not None:
            self.driver.lost(self, reason)

    async def _farewell(self) -> None:
        with anyio.move_on_after(FAREWELL, shield=True):
            try:
                if self._out and not self._broken:
                    await self._stream.send(bytes(self._out))
            except Exception:  # noqa: BLE001 - it is over either way
                self._out.clear()
        with anyio.move_on_after(FAREWELL, shield=True):
            try:
                await anyio.aclose_forcefully(self._stream)
            except Exception:  # noqa: BLE001 - it is over either way
                self._out.clear()

    async def _take(self) -> None:
        while True:
            if self.driver is None and len(self._early) > JOINING_BUFFER:
                await self._attached.wait()
            data = await self._stream.receive(PIECE)
            if self.driver is not None:
                self.driver.received(self, data)
            else:
                self._early += data
                self._came.set()

    async def _give(self) -> None:
        while self._out or not self._closing:
            if not self._out:
                self._work = anyio.Event()
                await self._work.wait()
                continue
            piece = bytes(self._out[:PIECE])
            del self._out[:PIECE]
            await self._stream.send(piece)
            if not self.writable and len(self._out) <= SEND_BUFFER // 4:
                self.writable = True
                if self.driver is not None:
                    self.driver.poke()

    async def exactly(self, size: int) -> bytes:
        """Give that many bytes, while joining.

        Raises:
            ConnectionError: the link broke before.
        """
        while len(self._early) < size:
            if self.gone.done():
                raise ConnectionResetError(f"the link broke while joining: {self.gone.result()}")
            self._came = anyio.Event()
            await self._came.wait()
        data = bytes(self._early[:size])
        del self._early[:size]
        return data

    def attach(self, driver: Driver) -> bytes:
        """Have a connection get what comes from now on; give what came already."""
        self.driver = driver
        self._attached.set()
        return bytes(self._early)

    def write(self, data: bytes) -> None:
        """Send."""
        if not self._closing and not self.gone.done():
            self._out += data
            self.writable = len(self._out) <= SEND_BUFFER
            self._work.set()

    def close(self) -> None:
        """Close, after what was written, which may take `FAREWELL` seconds."""
        self._closing = True
        self._scope.deadline = min(self._scope.deadline, anyio.current_time() + FAREWELL)
        self._work.set()

    def abort(self) -> None:
        """Close; the last words still go, where there is room for them at once."""
        self._closing = True
        self._scope.cancel()

    def describe(self) -> str:
        """Give the other end's address, in words."""
        peer = self._stream.extra(SocketAttribute.remote_address, self._name)  # noqa: S610 - anyio's, not Django's
        if not isinstance(peer, tuple):
            return self._name or str(peer) or "unix"
        return f"[{peer[0]}]:{peer[1]}" if ":" in str(peer[0]) else f"{peer[0]}:{peer[1]}"
