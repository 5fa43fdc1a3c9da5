"""Asks a running node through its control socket."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TIMEOUT: Final = 5.0
"""Seconds that a node may take for each step of an answer."""
LARGE: Final = 1 << 18
"""Bytes of an answer from which on it is worth a faster reader."""
MAX_ANSWER: Final = 64 << 20
"""Bytes of the longest answer that is read."""


class ControlError(Exception):
    """Why no answer came, in one line for the user."""


class NodeRefusesError(ControlError):
    """The node answers that it does not do what was asked."""

    def __init__(self, socket_path: Path, why: str, kind: str = "") -> None:
        """Take the node's own words, and what it says they are about: `config`, or nothing."""
        super().__init__(f"the node at {socket_path} refuses: {why}")
        self.why = why
        self.kind = kind


def request(socket_path: Path, command: str, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Send one command to the node and give its answer.

    Args:
        socket_path: the node's control socket.
        command: such as `status`; one line, without its end.
        timeout: seconds to wait for each step.

    Raises:
        ControlError: nothing listens there, it may not be used, it does not answer, or it refuses the command.
    """
    with said(socket_path, command, timeout) as connection, _readable(socket_path, timeout):
        text = _read(connection)
    return answer(socket_path, text)


def said(socket_path: Path, command: str, timeout: float = TIMEOUT) -> socket.socket:
    """Send one command, and give the connection on which the answer comes.

    Raises:
        ControlError: nothing listens there, it may not be used, or it does not take the command.
    """
    with _readable(socket_path, timeout):
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with _readable(socket_path, timeout):
            connection.settimeout(timeout)
            connection.connect(str(socket_path))
            connection.sendall(f"{command}\n".encode())
    except ControlError:
        connection.close()
        raise
    return connection


def lines(socket_path: Path, command: str, timeout: float = TIMEOUT) -> Iterator[dict[str, Any]]:
    """Send one command, and give what is answered bit by bit, until the node hangs up.

    Args:
        socket_path: the node's control socket.
        command: such as `ping {…}`.
        timeout: seconds to wait for each line.

    Raises:
        ControlError: as `request`.
    """
    with said(socket_path, command, timeout) as connection, connection.makefile("rb") as file:
        while True:
            with _readable(socket_path, timeout):
                line = file.readline(MAX_ANSWER)
            if not line:
                return
            yield answer(socket_path, line)


@contextlib.contextmanager
def _readable(socket_path: Path, timeout: float) -> Iterator[None]:
    """Say what went wrong in one line."""
    try:
        yield
    except (FileNotFoundError, ConnectionRefusedError):
        raise ControlError(f"no node listens at {socket_path}; is it running?") from None
    except PermissionError:
        raise ControlError(
            f"not permitted to talk to the node at {socket_path}; be root, or in its control_group"
        ) from None
    except TimeoutError:
        raise ControlError(f"the node at {socket_path} does not answer within {timeout:g} s") from None
    except OSError as error:
        raise ControlError(f"cannot talk to the node at {socket_path}: {error.strerror or error}") from None


def _read(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= MAX_ANSWER and (part := connection.recv(1 << 16)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _loads(text: bytes) -> Any:
    if len(text) < LARGE:
        return json.loads(text)
    from alagg.control.text import loads  # noqa: PLC0415 - most answers are read before this would be imported

    return loads(text)


def answer(socket_path: Path, text: bytes) -> dict[str, Any]:
    """Read an answer.

    Raises:
        ControlError: it is none of a node.
        NodeRefusesError: it is a refusal.
    """
    try:
        found = _loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ControlError(f"the answer of {socket_path} is not understood; is it a node of this version?")
    if "error" in found:
        raise NodeRefusesError(socket_path, str(found["error"]), str(found.get("kind", "")))
    return found
