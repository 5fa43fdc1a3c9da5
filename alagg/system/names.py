"""Looks names up for UDP links, in threads of its own: a slow name server delays nobody."""

from __future__ import annotations

import os
import queue
import socket
import threading
from typing import TYPE_CHECKING, Final, TypeVar

from alagg.messages import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_Value = TypeVar("_Value")

THREADS: Final = 4
"""Names that are looked up at the same time."""
MAX_ADDRESSES: Final = 16
"""Addresses of a name that are tried."""


class Resolver:
    """Looks names up; a descriptor becomes readable when something was found."""

    def __init__(self, find: Callable[[str], tuple[str, ...]] | None = None) -> None:
        """Start nothing yet; `find` gives the addresses of a name or raises `OSError`."""
        self._find = find or addresses
        self._descriptor = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._wanted: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._found: queue.SimpleQueue[tuple[str, tuple[str, ...], str]] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._pending: set[str] = set()
        self._lock = threading.Lock()
        """Held while the descriptor is written to or closed: its number may soon be another one's."""
        self.names = Names({}, {})

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when names were looked up."""
        return self._descriptor

    def keep(self, names: Iterable[str]) -> None:
        """Look these names up, those that are not known yet, and forget all others."""
        wanted = set(names)
        self.names = Names(_only(self.names.found, wanted), _only(self.names.problems, wanted))
        for name in wanted - set(self.names.found):
            self.ask(name)

    def ask(self, name: str) -> None:
        """Look a name up (again), unless that is under way."""
        if name in self._pending:
            return
        self._pending.add(name)
        self._wanted.put(name)
        if len(self._threads) < min(THREADS, len(self._pending)):
            # A lookup cannot be called off: a daemon thread keeps nobody from ending.
            thread = threading.Thread(target=self._work, daemon=True, name="alagg-names")
            self._threads.append(thread)
            thread.start()

    def take(self) -> Names:
        """Give what is known now, after the descriptor became readable. What was found before outlives a failure."""
        try:
            os.eventfd_read(self._descriptor)
        except BlockingIOError:
            return self.names
        found, problems = dict(self.names.found), dict(self.names.problems)
        while not self._found.empty():
            name, addresses_, problem = self._found.get()
            self._pending.discard(name)
            if problem:
                problems[name] = problem
            else:
                found[name] = addresses_
                problems.pop(name, None)
        self.names = Names(found, problems)
        return self.names

    def close(self) -> None:
        """End the threads that wait, and leave the others to the end of the process."""
        for _ in self._threads:
            self._wanted.put("")
        with self._lock:
            descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _work(self) -> None:
        while name := self._wanted.get():
            try:
                found, problem = self._find(name), ""
            except (OSError, UnicodeError) as error:
                found, problem = (), getattr(error, "strerror", None) or str(error)
            self._found.put((name, found, problem))
            with self._lock:
                if self._descriptor < 0:
                    return
                os.eventfd_write(self._descriptor, 1)


def _only(values: dict[str, _Value], names: set[str]) -> dict[str, _Value]:
    return {name: value for name, value in values.items() if name in names}


def addresses(name: str) -> tuple[str, ...]:
    """Ask the system for the addresses of a name, in the order in which it would have them tried.

    Raises:
        OSError: it has none, or nobody answers.
    """
    found = socket.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))[:MAX_ADDRESSES]
