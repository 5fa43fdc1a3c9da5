"""The part that stays root: it opens the node's socket for the web process, and says there only what it knows."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
from typing import TYPE_CHECKING, Any, Final, Protocol

from alagg.control.client import ControlError, said
from alagg.history import Store
from alagg.history.store import HistoryError

if TYPE_CHECKING:
    from pathlib import Path

WORDS: Final = ("status", "events")
"""What the web process may ask the node for."""
CHANGES: Final = ("block", "unblock", "set")
"""What it may have done to a link."""
VALUES: Final = frozenset({"weight", "rate"})
"""What it may set of a link; nothing of it is written to a file."""
_HISTORY: Final = re.compile(r"history (-?\d{1,12}) (-?\d{1,12}) (\d{1,9})", re.ASCII)
"""Since, until, step: seconds."""
_READ_TIME: Final = 5.0
"""Seconds for who asked to read a history."""
_OPENED: Final = b"+"
"""Answer that a connection comes with; else the answer says why there is none."""
_MAX_ANSWER: Final = 4096
_MAX_QUESTION: Final = 4096
"""Bytes, as the node itself takes them (`alagg.control.clients.MAX_REQUEST`)."""


class Door(Protocol):
    """The way to the node."""

    def open(self, word: str) -> socket.socket:
        """Ask for one of `WORDS`, a change to a link, or a history, and give the connection for the answer.

        Raises:
            ControlError: it cannot be reached.
        """


class Direct:
    """The way of a process that may use the control socket itself, by its group."""

    def __init__(self, path: Path, history: Path) -> None:
        """Use the socket at `path` and the file `history`."""
        self._path = path
        self._history = history

    def open(self, word: str) -> socket.socket:
        """See `Door`."""
        wanted = _HISTORY.fullmatch(word)
        if wanted is None:
            return said(self._path, word)
        answer = _history(self._history, wanted)
        ours, theirs = socket.socketpair()
        threading.Thread(target=_tell, args=(theirs, answer), daemon=True).start()
        return ours


class Brokered:
    """The way through a broker."""

    def __init__(self, channel: socket.socket) -> None:
        """Ask at the other end of `channel`; it keeps messages apart (SOCK_SEQPACKET)."""
        self._channel = channel

    def open(self, word: str) -> socket.socket:
        """See `Door`; it is asked by one thread at a time."""
        try:
            self._channel.sendall(word.encode())
            answer, descriptors, _, _ = socket.recv_fds(self._channel, _MAX_ANSWER, 1)
        except OSError as error:
            raise ControlError(f"the broker is gone: {error.strerror or error}") from None
        if not descriptors:
            raise ControlError(answer.decode(errors="replace") or "the broker is gone")
        return socket.socket(fileno=descriptors[0])


def serve(channel: socket.socket, path: Path, history: Path) -> None:
    """Open connections to the node at `path` for who asks on `channel`, until that end closes it."""
    while word := channel.recv(_MAX_QUESTION):
        question = word.decode(errors="replace")
        try:
            if wanted := _HISTORY.fullmatch(question):
                _send_history(channel, _history(history, wanted))
                continue
            with said(path, _known(question)) as connection:
                socket.send_fds(channel, [_OPENED], [connection.fileno()])
        except ControlError as error:
            channel.sendall(str(error).encode()[:_MAX_ANSWER])
        except (BrokenPipeError, ConnectionResetError):
            return


def _history(path: Path, wanted: re.Match[str]) -> bytes:
    since, until, step = (int(number) for number in wanted.groups())
    try:
        return json.dumps(Store(path).query(since, until, step)).encode()
    except HistoryError as error:
        raise ControlError(str(error)) from None


def _send_history(channel: socket.socket, answer: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        socket.send_fds(channel, [_OPENED], [theirs.fileno()])
    _tell(ours, answer)


def _tell(connection: socket.socket, answer: bytes) -> None:
    """Say it to who reads it in time."""
    with connection, contextlib.suppress(OSError):
        connection.settimeout(_READ_TIME)
        connection.sendall(answer)


def _known(question: str) -> str:
    """Give a question as it is put to the node: in words of our own, whatever else stood there."""
    word, _, rest = question.partition(" ")
    if question in WORDS:
        return question
    if word == "link" and (change := _change(rest)):
        return f"link {json.dumps(change)}"
    raise ControlError(f"the web process may ask for {', '.join(WORDS)}, and to {', '.join(CHANGES)} links")


def _change(text: str) -> dict[str, Any]:
    """Read a change to a link; nothing where it is another thing."""
    try:
        change = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    if not (isinstance(change, dict) and change.get("do") in CHANGES and _names(change)):
        return {}
    values = change.get("values", {})
    return change if isinstance(values, dict) and values.keys() <= VALUES else {}


def _names(change: dict[str, Any]) -> bool:
    known = change.keys() <= {"do", "link", "peer", "values"}
    return known and all(isinstance(change.get(key), str) for key in ("do", "link", "peer"))
