"""Records what both nodes of a lab say of their links while something happens, for tables and pictures."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from alagg.lab.namespace import LabError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

    from alagg.lab.host import Host

LOOK: Final = 0.1
"""Seconds from one look at the nodes to the next."""


@dataclass
class Look:
    """What both nodes said at one time."""

    at: float
    """Seconds since the record began."""
    statuses: list[dict[str, Any]]
    """Host a's status and host b's, as `alagg status --json` has them."""

    def link(self, host: int, name: str) -> dict[str, Any]:
        """Give what host 0 or 1 says of a link."""
        return next(link for link in self.statuses[host]["links"] if link["name"] == name)


@dataclass
class Record:
    """Looks, in the order of time, and what was done meanwhile."""

    looks: list[Look] = field(default_factory=list)
    marks: list[tuple[float, str]] = field(default_factory=list)
    """When something was done, and what, in words."""

    def first(self, host: int, link: str, state: str, since: float) -> float | None:
        """Give when, after `since`, a host first said that a link is in a state; None: never."""
        for look in self.looks:
            if look.at >= since and look.link(host, link)["state"] == state:
                return look.at
        return None


class Recorder:
    """Looks at both nodes again and again, beside whatever else happens."""

    def __init__(self, hosts: tuple[Host, Host]) -> None:
        """Begin on entry, at the time 0."""
        self.record = Record()
        self._hosts = hosts
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recorder")
        self._began = 0.0

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    @property
    def now(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._began

    def mark(self, words: str) -> None:
        """Note that something is being done."""
        self.record.marks.append((self.now, words))

    def _run(self) -> None:
        while not self._ended.is_set():
            at = self.now
            with suppress(LabError):  # a node that was ended, or is being started, says nothing
                self.record.looks.append(Look(at, [host.node.status() for host in self._hosts]))
            self._ended.wait(max(0.0, at + LOOK - self.now))
