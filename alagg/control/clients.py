"""A client of the control socket: it asks, waits, reads; whatever it does instead costs a bounded time and memory."""

from __future__ import annotations

import collections
import contextlib
import json
import socket
import time
from typing import TYPE_CHECKING, Any, Final

from alagg.control.logs import iso_time
from alagg.control.loop import READ, WRITE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alagg.control.socket import ControlServer

MAX_REQUEST: Final = 4096
"""Bytes of the longest request."""
_REST: Final = 16
"""Pieces of what a client says behind its line that are looked at, at most."""
MAX_SUBSCRIBERS: Final = 32
"""Clients that read events at the same time."""
MAX_EVENTS: Final = 256
"""Events that wait for one client; the oldest make room, and their number is told in their place."""


def hang_up(connection: socket.socket) -> None:
    """Close a connection; who has said more than was read still reads the answer, and an orderly end."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RD)
        for _ in range(_REST):
            if not connection.recv(1 << 16):
                break
    connection.close()


class Client:
    """One connection: a line comes in; one object goes out, or events until somebody hangs up."""

    def __init__(self, connection: socket.socket, server: ControlServer) -> None:
        """Wait for the client's line."""
        connection.setblocking(False)
        self.asking = True
        """Whether its line is not there yet."""
        self.streaming = False
        """Whether it reads events."""
        self.subscribed = False
        """Whether these are the node's."""
        self._ending = False
        self._connection = connection
        self._server = server
        self._incoming = b""
        self._outgoing = memoryview(b"")
        self._events: collections.deque[bytes] = collections.deque()
        self._dropped = 0
        self._since = time.monotonic()
        """When it last did something."""
        self._watch(READ)

    @property
    def pending(self) -> int:
        """Bytes that it has not read yet."""
        return len(self._outgoing)

    def answer(self, values: Mapping[str, Any]) -> None:
        """Send one object and hang up; a client that is gone already gets nothing."""
        self.answer_text(json.dumps(values))

    def answer_text(self, text: str) -> None:
        """Send one object that is JSON already, and hang up."""
        data = text.encode() + b"\n"
        self._server.make_room(len(data))
        if self._connection.fileno() >= 0:
            self._outgoing = memoryview(data)
            self._since = time.monotonic()
            self._write()

    @property
    def gone(self) -> bool:
        """Whether nobody listens any more."""
        return self._connection.fileno() < 0

    def begin(self) -> None:
        """Send what is given to `stream`, bit by bit, until `end`."""
        self.streaming = True

    def end(self) -> None:
        """Hang up when all was sent."""
        self._ending = True
        if not self.gone:
            self._write()

    def subscribe(self) -> None:
        """Send events from now on, unless too many do so already."""
        if sum(client.streaming for client in self._server.clients) >= MAX_SUBSCRIBERS:
            self.answer({"error": f"{MAX_SUBSCRIBERS} clients read events already"})
        else:
            self.streaming = self.subscribed = True

    def stream(self, event: Mapping[str, Any]) -> None:
        """Send an event, when there is room for it."""
        if len(self._events) >= MAX_EVENTS:
            self._events.popleft()
            self._dropped += 1
        self._events.append(json.dumps(event).encode() + b"\n")
        self._write()

    def expire(self, patience: float) -> None:
        """Hang up on a client that has not asked, or has not gone on reading its answer, for so many seconds."""
        if self._is_late(patience):
            self._serve()  # unless it was us who did not look at it
        if self._is_late(patience):
            self.close()

    def _is_late(self, patience: float) -> bool:
        waited_for = self.asking or (self._outgoing and not self.streaming)
        return bool(waited_for) and time.monotonic() - self._since > patience

    def finish(self) -> None:
        """Tell a client that waits that nothing will come any more, and hang up."""
        if not (self.asking or self.streaming or self._outgoing):
            self.answer({"error": "the node ends"})
        self.close()

    def close(self) -> None:
        """Hang up; more calls do nothing."""
        if self._connection.fileno() >= 0:
            self._server.loop.unwatch(self._connection.fileno())
            hang_up(self._connection)
            self._outgoing = memoryview(b"")
            self._server.remove(self)

    def _watch(self, events: int) -> None:
        self._server.loop.watch(self._connection.fileno(), self._serve, events)

    def _serve(self) -> None:
        """Do what the client is ready for: it has asked, has read, or is gone."""
        if self.asking:
            self._read()
        elif self._outgoing:
            self._write()
        else:
            self.close()

    def _read(self) -> None:
        try:
            data = self._connection.recv(MAX_REQUEST)
        except BlockingIOError:
            return
        except OSError:
            self.close()
            return
        self._incoming += data
        line, end, _ = self._incoming.partition(b"\n")
        if not (data or line):
            self.close()
        elif end or not data or len(line) > MAX_REQUEST:
            self._take(line)

    def _take(self, line: bytes) -> None:
        self.asking = False
        self._incoming = b""
        self._watch(0)  # what else it says is not read; that it hangs up is seen
        if len(line) > MAX_REQUEST:
            self.answer({"error": f"the line is longer than {MAX_REQUEST} bytes"})
        else:
            self._server.handle(self, line.decode("ascii", "replace").strip())

    def _write(self) -> None:
        """Send what there is room for; hang up behind an answer."""
        try:
            while self._more():
                self._outgoing = self._outgoing[self._connection.send(self._outgoing) :]
                self._since = time.monotonic()
        except BlockingIOError:
            self._watch(WRITE)
        except OSError:
            self.close()
        else:
            if self.streaming and not self._ending:
                self._watch(0)
            else:
                self.close()

    def _more(self) -> bool:
        """Tell whether there is something to send, and have it at hand."""
        if not self._outgoing and self._dropped:
            count, self._dropped = self._dropped, 0
            text = f"{count} events were dropped: they came faster than they were read"
            event = {"kind": "dropped", "time": iso_time(time.time()), "count": count, "text": text}
            self._outgoing = memoryview(json.dumps(event).encode() + b"\n")
        elif not self._outgoing and self._events:
            self._outgoing = memoryview(self._events.popleft())
        return bool(self._outgoing)
