"""The control socket: answers `alagg status` and whoever else may ask, one line in, one JSON object out."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import socket
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAX_CLIENTS: Final = 16
"""Connections at the same time; more wait in the kernel's queue."""
MAX_REQUEST: Final = 256
"""Bytes of the longest request."""
PATIENCE: Final = 2.0
"""Seconds that a client may take to ask and to read."""


class ControlError(OSError):
    """The socket cannot be set up; the text is one line for the user."""


class ControlServer:
    """Listens on a Unix stream socket; the owner polls the descriptors and calls `serve`."""

    def __init__(self, path: Path, group: str) -> None:
        """Listen at `path`, for root and the members of `group` (empty: root alone).

        Raises:
            ControlError: another node listens there, or the place cannot be used.
        """
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        try:
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            remove_stale(path)
            _bind(self._socket, path, group)
            self._socket.listen(MAX_CLIENTS)
        except (OSError, KeyError) as error:
            self._socket.close()
            raise _readable(error, path, group) from None

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when a client waits."""
        return self._socket.fileno()

    def serve(self, answer: Callable[[str], dict[str, object]]) -> None:
        """Take one client: read its line, send what `answer` gives for it, and close.

        The client gets a fixed time: one that does not read cannot hold up the supervisor for longer.
        """
        try:
            client, _ = self._socket.accept()
        except BlockingIOError:
            return
        with client, contextlib.suppress(OSError):
            client.settimeout(PATIENCE)
            request = client.recv(MAX_REQUEST).decode("ascii", "replace").strip()
            client.sendall(json.dumps(answer(request)).encode() + b"\n")

    def close(self) -> None:
        """Stop listening and remove the socket's file."""
        self._socket.close()
        self.path.unlink(missing_ok=True)


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
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
        path.chmod(0o660)


def _readable(error: Exception, path: Path, group: str) -> ControlError:
    if isinstance(error, ControlError):
        return error
    if isinstance(error, KeyError):
        return ControlError(f"control_group = {group}: there is no such group on this host")
    assert isinstance(error, OSError)
    place = error.filename or path
    return ControlError(f"{place}: the control socket cannot be set up: {error.strerror or error}")
