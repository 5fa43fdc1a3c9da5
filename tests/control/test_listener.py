"""Hearing events: as they come, from a node that comes and goes."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.control import listener as module
from alagg.control.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT: Final = 20


class Ear:
    """A listener, and what it is listening to."""

    def __init__(self, path: Path) -> None:
        self.woken = threading.Semaphore(0)
        self.node = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.node.settimeout(WAIT)
        self.node.bind(str(path))
        self.node.listen()
        self.listener = Listener(path, self.woken.release)

    def accept(self) -> socket.socket:
        connection, _ = self.node.accept()
        assert connection.recv(100) == b"events\n"
        return connection

    def hear(self, count: int) -> list[dict[str, Any]]:
        for _ in range(count):
            assert self.woken.acquire(timeout=WAIT)
        return self.listener.take()


@pytest.fixture
def ear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    monkeypatch.setattr(module, "RETRY", 0.01)
    ear = Ear(tmp_path / "alagg.sock")
    yield ear
    ear.listener.close()
    ear.node.close()


def test_events_come_with_the_time_of_their_coming(ear: Ear) -> None:
    with ear.accept() as connection:
        connection.sendall(b'{"kind": "reloaded", "text": "one"}\n{"kind": "reloaded", "text": "two", "peer": "a"}\n')
        one, two = ear.hear(2)
    assert one["text"] == "one"
    assert two == {"kind": "reloaded", "text": "two", "peer": "a", "at": two["at"]}
    assert one["at"] <= two["at"]
    assert ear.listener.take() == []


def test_what_makes_no_sense_is_left_out(ear: Ear) -> None:
    with ear.accept() as connection:
        connection.sendall(b'[1]\n{"kind": "reloaded"}\n{"kind": "reloaded", "text": "one"}\n')
        assert [event["text"] for event in ear.hear(1)] == ["one"]


@pytest.mark.parametrize("last", [b"", b"rubbish\n", b'{"cut": '])
def test_node_that_ends_is_connected_to_anew(ear: Ear, last: bytes) -> None:
    with ear.accept() as connection:
        connection.sendall(last)
    with ear.accept() as connection:
        connection.sendall(b'{"kind": "reloaded", "text": "again"}\n')
        assert [event["text"] for event in ear.hear(1)] == ["again"]


def test_events_that_nobody_takes_are_bounded(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ear.listener._events.maxlen == module.MAX_WAITING


def test_end_does_not_wait_for_the_node(ear: Ear) -> None:
    with ear.accept():
        ear.listener.close()
        ear.listener._thread.join(WAIT)
        assert not ear.listener._thread.is_alive()
