"""A client alone: how much of what it says is kept, and when its time is over (the rest: test_socket.py)."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from alagg.control.clients import MAX_REQUEST, Client
from alagg.control.loop import Loop
from alagg.control.socket import ControlServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ControlServer]:
    server = ControlServer(tmp_path / "node.sock", "", Loop(), {})
    yield server
    server.close()


def test_what_it_says_takes_bounded_memory(server: ControlServer) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        client = Client(ours, server)
        server.clients.append(client)
        theirs.sendall(b"x" * 50_000)
        for _ in range(50):
            server.loop.step(0)
            assert len(client._incoming) <= 2 * MAX_REQUEST
        assert b"is longer than" in theirs.recv(1000)


def test_who_reads_events_may_be_silent_for_ever(server: ControlServer) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        client = Client(ours, server)
        server.clients.append(client)
        client.asking = False
        client.subscribe()
        client.expire(0.0)
        assert server.clients == [client]


def test_who_has_asked_while_nobody_looked_is_answered(server: ControlServer) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        client = Client(ours, server)
        server.clients.append(client)
        theirs.sendall(b"nonsense\n")
        client.expire(0.0)
        assert b"unknown request" in theirs.recv(1000)


def test_what_is_told_bit_by_bit_ends_with_an_orderly_end(server: ControlServer) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        client = Client(ours, server)
        server.clients.append(client)
        client.asking = False
        client.begin()
        server.publish({"kind": "reloaded"})  # it has not asked for these
        client.stream({"round": 1})
        client.stream({"done": True})
        client.end()
        assert client.gone
        assert theirs.recv(1000) == b'{"round": 1}\n{"done": true}\n'
        assert theirs.recv(1000) == b""
        client.end()
        client.stream({"late": True})
