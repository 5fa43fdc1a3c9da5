"""What a worker tells: the log what has happened, and the other workers what it found out about the links.

One worker watches the links (`alagg.engine.peer`); the others follow it over sockets of their own, which nobody waits
for: what finds one full is told a moment later, and of a link only the last.
"""

from __future__ import annotations

import json
import logging
import socket
from contextlib import suppress
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING

from alagg.engine.events import LinkStateChanged

if TYPE_CHECKING:
    from alagg.engine.events import Event, LinkFound
    from alagg.worker import Worker

log = logging.getLogger("alagg.worker")


def log_event(event: Event, lane: int = 0) -> None:
    """Write what happened to the log, one readable line.

    Every worker may see that a link is down: the first one tells it.
    """
    level = logging.WARNING if event.bad else logging.INFO
    if lane and isinstance(event, LinkStateChanged):
        level = logging.DEBUG
    log.log(level, "%s%s", f"worker {lane}: " if lane else "", event, extra=asdict(event))


class Crew:
    """The workers of a node, and the ways from the one that watches the links to the others."""

    def __init__(self, count: int) -> None:
        """Make the ways, before the workers are forked; `count` is how many they are."""
        self._ways = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(count - 1)]
        self._untold: list[dict[tuple[str, str], bytes]] = [{} for _ in self._ways]
        """What each of the others has still to be told, by peer and link."""
        for ends in self._ways:
            for end in ends:
                end.setblocking(False)

    def join(self, worker: Worker, number: int) -> None:
        """Let a worker, in its own process, tell the others or follow."""
        worker.crew = self
        if number:
            mine = self._ways[number - 1][1]
            worker.watch(mine.fileno(), lambda _now: self._follow(worker, mine))

    def tell(self, found: LinkFound) -> None:
        """Tell the others what was found out about a link."""
        for untold in self._untold:
            untold[found.peer, found.link] = json.dumps(astuple(found)[:4]).encode()
        self.flush()

    def flush(self) -> None:
        """Send what has still to be told, as far as there is room."""
        for (way, _), untold in zip(self._ways, self._untold, strict=True):
            with suppress(OSError):
                for key, message in list(untold.items()):
                    way.send(message)
                    del untold[key]

    def close(self) -> None:
        """Give the descriptors back: the supervisor has no use for them once all workers are forked."""
        for ends in self._ways:
            for end in ends:
                end.close()

    @staticmethod
    def _follow(worker: Worker, mine: socket.socket) -> None:
        with suppress(BlockingIOError):
            while True:
                worker.endpoint.follow(*json.loads(mine.recv(1 << 12)))
