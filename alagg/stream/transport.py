"""A connection as a transport of asyncio, for any of its protocols; its streams are made from it, too."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from alagg.stream.driver import Driver

HIGH: Final = 1 << 18
"""Bytes that were written and not sent, beyond which the protocol is paused."""
PIECE: Final = 1 << 16
"""Bytes that a protocol gets at once."""


class Transport(asyncio.Transport):
    """One connection, as a protocol sees it."""

    def __init__(self, driver: Driver, protocol: asyncio.Protocol, extra: Mapping[str, Callable[[], Any]]) -> None:
        """Connect a protocol; `extra` gives what `get_extra_info` knows."""
        super().__init__()
        self._driver = driver
        self._core = driver.core
        self._protocol = protocol
        self._known = extra
        self._high, self._low = HIGH, HIGH // 4
        self._reading = True
        self._full = False
        self._eof_told = False
        self._lost_told = False
        driver.transport = self
        protocol.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Give `links`, or the default."""
        return self._known[name]() if name in self._known else default

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Have another protocol get what comes."""
        if not isinstance(protocol, asyncio.Protocol):
            raise TypeError(f"a stream needs an asyncio.Protocol, not {type(protocol).__name__}")
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Give the protocol."""
        return self._protocol

    # -- reading

    def is_reading(self) -> bool:
        """Tell whether the protocol wants bytes."""
        return self._reading and not self._core.closed

    def pause_reading(self) -> None:
        """Deliver nothing; the peer's window fills up, and it stops."""
        self._reading = False

    def resume_reading(self) -> None:
        """Deliver again."""
        self._reading = True
        self._driver.poke()

    def deliver(self) -> None:
        """Give the protocol what has come, as far as it wants it, and the end."""
        core = self._core
        while self._reading and core.error is None and (data := core.read(PIECE, self._driver.now)):
            self._protocol.data_received(data)
        at_end = core.incoming.finished and not core.incoming.ready
        if at_end and core.error is None and not self._eof_told:
            self._eof_told = True
            if not self._protocol.eof_received():
                self.close()
        if core.ended and (core.error is not None or at_end) and not self._lost_told:
            self._lost_told = True
            self._protocol.connection_lost(core.error)

    # -- writing

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes.

        Raises:
            ConnectionError: the connection, or this direction of it, has ended.
        """
        self._core.write(bytes(data))
        if not self._full and self._core.outgoing.unsent > self._high:
            self._full = True
            self._protocol.pause_writing()
        self._driver.poke()

    def follow(self) -> None:
        """Let the protocol write again where enough has left."""
        if self._full and (self._core.outgoing.unsent <= self._low or self._core.ended):
            self._full = False
            self._protocol.resume_writing()

    def can_write_eof(self) -> bool:
        """Tell that one direction can end alone."""
        return True

    def write_eof(self) -> None:
        """End this direction, after what was written."""
        self._core.write_eof()
        self._driver.poke()

    def get_write_buffer_size(self) -> int:
        """Give the bytes that were written and not sent."""
        return self._core.outgoing.unsent

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Give the bytes at which the protocol may write again, and at which it is paused."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set those; as asyncio's own, a quarter of the higher one is the lower one."""
        high = HIGH if high is None else high
        low = high // 4 if low is None else low
        if not 0 <= low <= high:
            raise ValueError(f"low ({low!r}) must be from 0 to high ({high!r})")
        self._high, self._low = high, low

    # -- the end

    def is_closing(self) -> bool:
        """Tell whether it is closed or closing."""
        return self._core.closed or self._core.ended

    def close(self) -> None:
        """Close, after what was written."""
        if not self._core.closed:
            self._core.close(self._driver.now)
            self._driver.poke()

    def abort(self) -> None:
        """Close at once, and tell the peer so."""
        self._core.abort("aborted by the program", self._driver.now)
        self._driver.poke()
