"""Supervised: serves the supervisor inside a worker's loop, a little in each round, and never waits for it."""

from __future__ import annotations

import collections
import select
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from alagg import trial
from alagg.channel import Channel
from alagg.control.parts import encode
from alagg.messages import (
    Burst,
    CapsUsed,
    Happened,
    Held,
    HostFacts,
    Measure,
    MorePeers,
    Names,
    Ping,
    Reconfigure,
    SnapshotPart,
    SnapshotRequest,
    Stop,
    Taken,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from alagg.config import PeerConfig
    from alagg.control.snapshot import Json
    from alagg.engine.events import Event
    from alagg.worker import Worker

MAX_EVENTS: Final = 4096
"""Events that wait for the supervisor; the oldest make room, and it learns how many."""
_EVENTS: Final = 16
"""Events that one message tells of."""


class Supervised:
    """What the supervisor says is done, and what it wants to know is sent when there is room for it."""

    def __init__(self, worker: Worker, connection: Connection) -> None:
        """Serve one end of a connection in the worker's loop."""
        self._worker = worker
        self._channel = Channel(connection)
        self._events: collections.deque[tuple[float, Event]] = collections.deque()
        self._dropped = 0
        self._parts: Iterator[tuple[Json, bool]] | None = None
        self._asked = SnapshotRequest()
        self._first = True
        self._coming: Reconfigure | None = None
        self._known: dict[str, PeerConfig] = {}
        """The peers that the worker goes by, while others come."""
        self._taken: Taken | None = None
        # One descriptor that is readable when the channel is readable, or has room for what is to be sent: so the
        # loop, which knows only readable ones, comes back to us.
        self._epoll = select.epoll()
        self._epoll.register(self._channel.fileno(), select.EPOLLIN)
        self._waits_for_room = False
        worker.watch(self._epoll.fileno(), self._serve)
        worker.on_event = self._happened

    def _serve(self, now: float) -> None:  # noqa: ARG002
        """Take one message, or the next piece of it; then send one, if the one before has left."""
        try:
            message = self._channel.read()
            room = self._channel.resume()
        except (EOFError, OSError):
            self._end()
            return
        self._take(message)
        answer = self._next() if room else None
        if answer is not None:
            try:
                self._channel.write(answer)
            except OSError:
                self._end()
                return
        self._wait_for_room()

    def _end(self) -> None:
        """End with the supervisor, which ended or was killed."""
        self._worker.running = False
        self._worker.unwatch(self._epoll.fileno())

    def _take(self, message: object) -> None:
        if isinstance(message, HostFacts):
            self._worker.take_facts(message)
        elif isinstance(message, Names):
            self._worker.take_names(message)
        elif isinstance(message, Held):
            self._worker.endpoint.set_held(message.links, self._worker.clock())
        elif isinstance(message, CapsUsed):
            self._worker.carried.used = message.links
        elif isinstance(message, Reconfigure):
            self._known = {peer.name: peer for peer in self._worker.config.peers}
            config = replace(message.config, peers=self._known_ones(message.config.peers))
            self._reconfigure(replace(message, config=config))
        elif isinstance(message, MorePeers) and self._coming is not None:
            coming = self._coming
            config = replace(coming.config, peers=coming.config.peers + self._known_ones(message.peers))
            self._reconfigure(Reconfigure(config, coming.number, coming.following - len(message.peers)))
        elif isinstance(message, Ping | Burst | Measure):
            trial.attempt(self._worker.endpoint, message, self._worker.clock())
        elif isinstance(message, SnapshotRequest):
            self._asked = message
            self._begin_snapshot()
        elif isinstance(message, Stop):
            self._worker.running = False

    def _known_ones(self, peers: tuple[PeerConfig, ...]) -> tuple[PeerConfig, ...]:
        """Give the worker's own objects for the peers that have not changed: it knows them at a glance."""
        return tuple(known if (known := self._known.get(peer.name)) == peer else peer for peer in peers)

    def _reconfigure(self, message: Reconfigure) -> None:
        if message.following > 0:
            self._coming = message
            return
        self._coming = None
        self._worker.reconfigure(message.config)
        self._taken = Taken(message.number)
        if self._parts is not None:  # its peers may be others now
            self._begin_snapshot()

    def _begin_snapshot(self) -> None:
        self._parts = self._worker.snapshot_parts()
        self._first = True

    def _happened(self, event: Event, lane: int) -> None:  # noqa: ARG002
        """Keep an event until the supervisor can be told."""
        if len(self._events) >= MAX_EVENTS:
            self._events.popleft()
            self._dropped += 1
        self._events.append((time.time(), event))
        self._wait_for_room()

    def _wait_for_room(self) -> None:
        """See to it that the loop comes back as long as there is something to send, and room for it."""
        wanted = bool(self._channel.writing or self._taken or self._events or self._parts)
        if wanted != self._waits_for_room:
            self._waits_for_room = wanted
            events = select.EPOLLIN | select.EPOLLOUT if wanted else select.EPOLLIN
            self._epoll.modify(self._channel.fileno(), events)

    def _next(self) -> object:
        if self._taken is not None:
            taken, self._taken = self._taken, None
            return taken
        if self._events:
            events = [self._events.popleft() for _ in range(min(_EVENTS, len(self._events)))]
            dropped, self._dropped = self._dropped, 0
            return Happened(events, dropped)
        if self._parts is not None:
            return self._next_part(self._parts)
        return None

    def _next_part(self, parts: Iterator[tuple[Json, bool]]) -> SnapshotPart:
        (values, last), first = next(parts), self._first
        self._first = False
        if last:
            self._parts = None
        return SnapshotPart(self._asked.number, encode(values), first, last)
