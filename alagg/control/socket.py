"""The control socket: who listens where, who may ask, and what may be asked; one line in, JSON lines out."""

from __future__ import annotations

import contextlib
import grp
import os
import socket
import stat
from typing import TYPE_CHECKING, Any, Final

from alagg.control.clients import Client, hang_up
from alagg.system.sharing import share

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from alagg.control.loop import Loop

    Request = Callable[[Client, str], None]
    """Takes who asks, and what stands behind the request's name; it answers the client, now or later."""

MAX_CLIENTS: Final = 64
"""Connections at the same time; a new one takes the place of the one that has been silent for longest."""
BACKLOG: Final = 128
"""Connections that wait in the kernel's queue."""
MAX_PENDING: Final = 32 << 20
"""Bytes of answers that wait to be read; where there are more, who has been waited for longest loses its own."""
PATIENCE: Final = 2.0
"""Seconds that a client may take to ask, and between two steps of reading its answer."""


class ControlError(OSError):
    """The socket cannot be set up; the text is one line for the user."""


class ControlServer:
    """Listens on a Unix stream socket, and serves its clients in a loop, none of which holds up anybody."""

    def __init__(self, path: Path, group: str, loop: Loop, requests: Mapping[str, Request]) -> None:
        """Listen at `path`, for root and the members of `group` (empty: root alone).

        Args:
            path: where.
            group: the name of a group of this host.
            loop: where the clients are served.
            requests: what may be asked, by the first word of a line.

        Raises:
            ControlError: another node listens there, or the place cannot be used.
        """
        self.path = path
        self.requests = requests
        self.clients: list[Client] = []
        """Those that are connected, the oldest first."""
        self.loop = loop
        self._ticking = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            remove_stale(path)
            _bind(self._socket, path, group)
            self._socket.listen(BACKLOG)
        except (OSError, KeyError) as error:
            self._socket.close()
            raise _readable(error, path, group) from None
        self._listen()

    def publish(self, event: Mapping[str, Any]) -> None:
        """Give an event to all clients that asked for events; one that does not read loses its oldest."""
        for client in self.clients:
            if client.subscribed:
                client.stream(event)

    def handle(self, client: Client, line: str) -> None:
        """Do what a client's line asks for."""
        name, _, rest = line.partition(" ")
        request = self.requests.get(name)
        if request is None:
            client.answer({"error": f"unknown request {name!r}; allowed: {', '.join(sorted(self.requests))}"})
        else:
            request(client, rest.strip())

    def make_room(self, size: int) -> None:
        """See that the answers that wait, and one more of `size` bytes, stay within bounds."""
        waiting = [client for client in self.clients if client.pending]
        pending = sum(client.pending for client in waiting)
        for client in waiting:
            if pending + size <= MAX_PENDING:
                break
            pending -= client.pending
            client.close()

    def remove(self, client: Client) -> None:
        """Forget a client that is closed."""
        self.clients.remove(client)

    def close(self) -> None:
        """Stop listening, hang up on all clients, and remove the socket's file; more calls do nothing."""
        if self._socket.fileno() >= 0:
            self.loop.unwatch(self._socket.fileno())
            self._socket.close()
        for client in list(self.clients):
            client.finish()
        self.path.unlink(missing_ok=True)

    def _listen(self) -> None:
        if self._socket.fileno() >= 0:
            self.loop.watch(self._socket.fileno(), self._accept)

    def _accept(self) -> None:
        try:
            connection, _ = self._socket.accept()
        except BlockingIOError:
            return
        except OSError:  # no descriptor is left: not at once again, for it is not going to help
            self.loop.unwatch(self._socket.fileno())
            self.loop.call_in(PATIENCE / 4, self._listen)
            return
        if len(self.clients) >= MAX_CLIENTS:
            silent = next((client for client in self.clients if client.asking), None)
            if silent is None:
                with contextlib.suppress(OSError):
                    connection.send(b'{"error": "too many clients"}\n', socket.MSG_DONTWAIT)
                hang_up(connection)
                return
            silent.close()
        self.clients.append(Client(connection, self))
        self._tick()

    def _tick(self) -> None:
        """Look after the clients' patience as long as there are any."""
        if self.clients and not self._ticking:
            self._ticking = True
            self.loop.call_in(PATIENCE / 4, self._expire)

    def _expire(self) -> None:
        self._ticking = False
        for client in list(self.clients):
            client.expire(PATIENCE)
        self._tick()


def remove_stale(path: Path) -> bool:
    """Remove the socket of a node that was killed; tell whether there was one.

    Raises:
        ControlError: a node listens there, or it is no socket; it is left alone.
    """
    if not path.exists():
        return False
    if not stat.S_ISSOCK(path.stat().st_mode):
        raise ControlError(f"{path}: exists and is not a socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PATIENCE)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return True
        else:
            raise ControlError(f"{path}: another node listens here; give this one a control_socket of its own")


def _bind(sock: socket.socket, path: Path, group: str) -> None:
    before = os.umask(0o177)
    try:
        sock.bind(str(path))
    finally:
        os.umask(before)
    if group:
        share(path, grp.getgrnam(group).gr_gid, 0o660)


def _readable(error: Exception, path: Path, group: str) -> ControlError:
    if isinstance(error, ControlError):
        return error
    if isinstance(error, KeyError):
        return ControlError(f"control_group = {group}: there is no such group on this host")
    assert isinstance(error, OSError)
    place = error.filename or path
    return ControlError(f"{place}: the control socket cannot be set up: {error.strerror or error}")
