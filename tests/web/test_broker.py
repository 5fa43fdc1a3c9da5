"""The broker: hands over connections to the node on which the question has been asked, and asks no other ones."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from alagg import config, steering
from alagg.control.client import ControlError
from alagg.history import opening
from alagg.web.broker import CHANGES, VALUES, Brokered, Direct, Door, serve
from tests.web.fake_node import FakeNode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[socket.socket]:
    """Give the web process' end of a channel to a broker."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    broker = threading.Thread(target=serve, args=(theirs, tmp_path / "alagg.sock", tmp_path / "history.db"))
    broker.start()
    yield ours
    ours.close()
    broker.join(5)
    theirs.close()
    assert not broker.is_alive()


def ask(door: Door) -> object:
    with door.open("status") as connection:
        connection.settimeout(5)
        return json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))


def test_both_ways_lead_to_the_node(tmp_path: Path, channel: socket.socket) -> None:
    node = FakeNode(tmp_path / "alagg.sock")
    try:
        assert ask(Brokered(channel)) == ask(Direct(node.path, tmp_path / "history.db")) == node.says
    finally:
        node.close()


def test_node_that_is_not_there_is_told(tmp_path: Path, channel: socket.socket) -> None:
    for door in (Brokered(channel), Direct(tmp_path / "alagg.sock", tmp_path / "history.db")):
        with pytest.raises(ControlError, match=rf"^no node listens at {tmp_path}/alagg.sock"):
            door.open("status")


def test_nothing_else_can_be_asked(channel: socket.socket) -> None:
    change = {"do": "block", "link": "fibre", "peer": "office"}
    wrong = ({"do": "remove"}, {"link": 1}, {"peer": None}, {"save": True}, {"values": {"mac": "x"}}, {"values": [1]})
    words = ("reload", "status\nreload", "status reload", "x" * 60, "link", "link x", "link []", f"link {'[' * 2000}")
    for word in (*words, *(f"link {json.dumps(change | one)}" for one in wrong)):
        with pytest.raises(ControlError, match=r"may ask for status, events, and to block, unblock, set links$"):
            Brokered(channel).open(word)


def test_what_may_be_changed_is_what_the_node_knows() -> None:
    assert set(CHANGES) <= set(steering.VERBS)
    assert {option.key for option in config.LINK} >= VALUES


def test_change_to_a_link_is_handed_on(tmp_path: Path, channel: socket.socket) -> None:
    node = FakeNode(tmp_path / "alagg.sock")
    change = {"do": "set", "link": "fibre", "peer": "office", "values": {"weight": "3"}}
    try:
        with Brokered(channel).open(f"link {json.dumps(change)}") as connection:
            connection.settimeout(5)
            assert json.loads(connection.recv(4096))["ok"]
        assert node.changes == [change]
    finally:
        node.close()


def test_history_comes_both_ways(tmp_path: Path, channel: socket.socket) -> None:
    path = tmp_path / "history.db"
    for door in (Brokered(channel), Direct(tmp_path / "alagg.sock", path)):
        with pytest.raises(ControlError, match=r"there is no history; \[history\] keep = yes"):
            door.open("history 1 2 3")
    opening.for_writing(path, 10**6).close()
    for door in (Brokered(channel), Direct(tmp_path / "alagg.sock", path)):
        with door.open("history 1800000000 1800000600 60") as connection:
            connection.settimeout(5)
            told = json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
        assert (told["since"], told["until"], told["links"], told["events"]) == (1800000000, 1800000600, [], [])
    with pytest.raises(ControlError, match="may ask for"):
        Brokered(channel).open("history 1 2 /etc/shadow")


def test_broker_that_is_gone_is_told() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    with ours, pytest.raises(ControlError, match="the broker is gone"):
        Brokered(ours).open("status")
