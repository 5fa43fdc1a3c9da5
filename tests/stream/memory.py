"""Two connections whose links are in memory: carriers that hand bytes to each other, by the loop's next round."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from alagg.stream.connection import Connection
from alagg.stream.core.settings import Settings
from alagg.stream.driver import Driver

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.stream.carrier import Carrier

FULL = 1 << 17
"""Bytes that wait at one end, beyond which it takes no more."""


class Memory:
    """One end of a link."""

    def __init__(self) -> None:
        self.peer = self
        self.writable = True
        self.driver: Driver | None = None
        self.gone: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._came: list[bytes] = []

    def attach(self, driver: Driver) -> bytes:
        self.driver = driver
        return b""

    def write(self, data: bytes) -> None:
        peer = self.peer
        if not peer._came:
            asyncio.get_running_loop().call_soon(peer._take)
        peer._came.append(data)
        self.writable = sum(map(len, peer._came)) <= FULL

    def _take(self) -> None:
        came, self._came = self._came, []
        if self.driver is not None:
            self.driver.received(cast("Carrier", self), b"".join(came))
        self.peer.writable = True
        if self.peer.driver is not None:
            self.peer.driver.poke()

    def close(self) -> None:
        """Do as little as `abort`."""

    def abort(self) -> None:
        """Nothing to close."""


@contextmanager
def joined(links: int = 2, settings: Settings | None = None) -> Iterator[tuple[Connection, Connection]]:
    """Give two connections that are joined by that many links."""
    drivers = [Driver(settings or Settings()) for _ in (0, 1)]
    connections = Connection(drivers[0]), Connection(drivers[1])
    for number in range(links):
        ends = Memory(), Memory()
        ends[0].peer, ends[1].peer = ends[1], ends[0]
        for driver, end in zip(drivers, ends, strict=True):
            driver.attach(f"link{number}", cast("Carrier", end))
    try:
        yield connections
    finally:
        for driver in drivers:
            driver.stop()
