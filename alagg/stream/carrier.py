"""A link's bytes: over any transport of asyncio, read piece by piece while joining, then by the connection."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, Final, cast

from alagg.stream.address import TLS, UNIX

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from alagg.stream.address import Address
    from alagg.stream.driver import Driver

SEND_BUFFER: Final = 1 << 17
"""Bytes that may wait for the socket: what is given to a link can go nowhere else."""
JOINING_BUFFER: Final = 4096
"""Bytes beyond which nothing more is read while joining."""


class Carrier(asyncio.Protocol):
    """One link's transport."""

    def __init__(self, accepted: Callable[[Carrier], None] | None = None) -> None:
        """Begin unconnected; `accepted` is called with it as soon as it is connected."""
        self.writable = True
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Why it is over, once it is."""
        self.driver: Driver | None = None
        self._accepted = accepted
        self._transport: asyncio.Transport | None = None
        self._early = bytearray()
        self._waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep little in the socket's buffer."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=SEND_BUFFER)
        if self._accepted is not None:
            self._accepted(self)

    def data_received(self, data: bytes) -> None:
        """Hand bytes on, or keep them while joining."""
        if self.driver is not None:
            self.driver.received(self, data)
            return
        self._early += data
        if len(self._early) > JOINING_BUFFER and self._transport is not None:
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever reads."""
        if not self.gone.done():
            self.gone.set_result(str(exc) if exc else "closed by the other end")
        self._wake()
        if self.driver is not None:
            self.driver.lost(self, self.gone.result())

    def pause_writing(self) -> None:
        """Take nothing more."""
        self._set_writable(on=False)

    def resume_writing(self) -> None:
        """Take more."""
        self._set_writable(on=True)

    def _set_writable(self, *, on: bool) -> None:
        self.writable = on
        if self.driver is not None:
            self.driver.poke()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def exactly(self, size: int) -> bytes:
        """Give that many bytes, while joining.

        Raises:
            ConnectionError: the link broke before.
        """
        while len(self._early) < size:
            if self.gone.done():
                raise ConnectionResetError(f"the link broke while joining: {self.gone.result()}")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        data = bytes(self._early[:size])
        del self._early[:size]
        return data

    def attach(self, driver: Driver) -> bytes:
        """Have a connection get what comes from now on; give what came already."""
        self.driver = driver
        if self._transport is not None:
            self._transport.resume_reading()
        return bytes(self._early)

    def write(self, data: bytes) -> None:
        """Send."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Close, after what was written."""
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def describe(self) -> str:
        """Give the other end's address, in words."""
        peer: Any = self._transport.get_extra_info("peername") if self._transport else None
        if not isinstance(peer, tuple):
            return peer or "unix"
        return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"


async def dial(address: Address, context: ssl.SSLContext | None) -> Carrier:
    """Open a link.

    Raises:
        OSError: it cannot be opened; `ssl.SSLError` is one.
    """
    loop = asyncio.get_running_loop()
    if address.kind == UNIX:
        _unix_or_raise(address)
        _, carrier = await loop.create_unix_connection(Carrier, address.host)
    else:
        secure = context if address.kind == TLS else None
        _, carrier = await loop.create_connection(Carrier, address.host, address.port, ssl=secure)
    return carrier


def _unix_or_raise(address: Address) -> None:
    if not hasattr(socket, "AF_UNIX"):
        raise OSError(f"{address.text}: this system has no Unix sockets")


async def listen(
    address: Address, context: ssl.SSLContext | None, accepted: Callable[[Carrier], None]
) -> asyncio.Server:
    """Wait for links at an address.

    Raises:
        OSError: nothing can wait there.
    """
    loop = asyncio.get_running_loop()

    def make() -> Carrier:
        return Carrier(accepted)

    if address.kind == UNIX:
        _unix_or_raise(address)
        return await loop.create_unix_server(make, address.host)
    secure = context if address.kind == TLS else None
    return await loop.create_server(make, address.host, address.port, ssl=secure)
