"""What a worker tells: the log what has happened, and the other workers what it found out about the links.

One worker watches the links (`alagg.engine.peer`), and the others follow it; any of them may hear the peer's report
about another one's lane. They tell each other over sockets of their own, which nobody waits for: what finds one full
is told a moment later, and of the same thing only the last.
"""

from __future__ import annotations

import json
import logging
import socket
from contextlib import suppress
from dataclasses import asdict, astuple
from typing import TYPE_CHECKING, Final

from alagg.engine.control import Report
from alagg.engine.events import LinkFound, LinkStateChanged, ReportHeard

if TYPE_CHECKING:
    from alagg.engine.events import Event, ForCrew
    from alagg.worker import Worker

_AT_ONCE: Final = 64
"""Messages that a worker takes in one round of its loop."""

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
    """The workers of a node, and the ways between them."""

    def __init__(self, count: int) -> None:
        """Make the ways, before the workers are forked; `count` is how many they are."""
        self._ways = [socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(count if count > 1 else 0)]
        """To each worker: the end that all others write to, and its own."""
        self._untold: list[dict[tuple[object, ...], bytes]] = [{} for _ in self._ways]
        """What each has still to be told, by what it is about."""
        self._number = 0
        for ends in self._ways:
            for end in ends:
                end.setblocking(False)

    def join(self, worker: Worker, number: int) -> None:
        """Let a worker, in its own process, tell the others and hear them."""
        worker.crew = self
        self._number = number
        if self._ways:
            mine = self._ways[number][1]
            worker.watch(mine.fileno(), lambda now: self._follow(worker, mine, now))

    def tell(self, event: ForCrew) -> None:
        """Tell the others what was found out about a link, or the one that a report is about."""
        if isinstance(event, ReportHeard):
            report = event.report
            if report.lane < len(self._ways):
                key = event.peer, report.link_id, report.lane
                self._untold[report.lane][key] = json.dumps(["report", event.peer, *astuple(report)]).encode()
        else:
            for number, untold in enumerate(self._untold):
                kind = "link" if isinstance(event, LinkFound) else "moved"
                if number != self._number:
                    untold[kind, event.peer, event.link] = json.dumps([kind, *astuple(event)[:-1]]).encode()
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
    def _follow(worker: Worker, mine: socket.socket, now: float) -> None:
        with suppress(BlockingIOError):
            for _ in range(_AT_ONCE):
                kind, peer, *values = json.loads(mine.recv(1 << 12))
                if kind == "link":
                    worker.endpoint.follow(peer, *values)
                elif kind == "moved":
                    worker.whereabouts.follow(peer, values[0], bytes.fromhex(values[1].replace(":", "")), now)
                else:
                    values[-1] = tuple(map(tuple, values[-1]))
                    worker.endpoint.take_report(peer, Report(*values), now)
