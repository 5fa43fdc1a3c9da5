"""Filters on a node's interfaces that come when a test says so."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alagg.system.netlink import Interface


class FakeFilters:
    """Stands in for `alagg.system.filters.Filters`; only eth1 ever has a filter."""

    def __init__(self) -> None:
        self._ends = socket.socketpair()
        self._ends[0].setblocking(False)
        self._filter = self._seen = ""

    def comes(self, text: str) -> None:
        """Have a filter from now on, or none, and make it time for a look."""
        self._filter = text
        self._ends[1].send(b"!")

    def fileno(self) -> int:
        return self._ends[0].fileno()

    def look(self, interfaces: Iterable[Interface]) -> bool:
        with suppress(BlockingIOError):
            self._ends[0].recv(10)
        before, self._seen = self._seen, self._filter
        return before != self._seen

    def on(self, interface: Interface) -> str:
        return self._seen if interface.name == "eth1" else ""

    def close(self) -> None:
        """Leave the ends to the test: see `end`."""

    def end(self) -> None:
        for end in self._ends:
            end.close()
