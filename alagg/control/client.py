"""Asks a running node through its control socket."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

TIMEOUT: Final = 5.0
"""Seconds that a node may take for each step of an answer."""
MAX_ANSWER: Final = 64 << 20
"""Bytes of the longest answer that is read."""


class ControlError(Exception):
    """Why no answer came, in one line for the user."""


def request(socket_path: Path, command: str, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Send one command to the node and give its answer.

    Args:
        socket_path: the node's control socket.
        command: such as `status`; one line, without its end.
        timeout: seconds to wait for each step.

    Raises:
        ControlError: nothing listens there, it may not be used, it does not answer, or it refuses the command.
    """
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout)
            connection.connect(str(socket_path))
            connection.sendall(f"{command}\n".encode())
            text = _read(connection)
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
    return _answer(socket_path, text)


def _read(connection: socket.socket) -> bytes:
    parts: list[bytes] = []
    size = 0
    while size <= MAX_ANSWER and (part := connection.recv(1 << 16)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _answer(socket_path: Path, text: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise ControlError(f"the answer of {socket_path} is not understood; is it a node of this version?")
    if "error" in answer:
        raise ControlError(f"the node at {socket_path} refuses: {answer['error']}")
    return answer
