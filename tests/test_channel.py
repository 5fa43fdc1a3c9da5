"""The channel: whole messages, whatever the pieces that they come in, and no end ever waits for the other."""

from __future__ import annotations

import multiprocessing
from typing import TYPE_CHECKING

import pytest

from alagg.channel import PIECE, Channel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection


@pytest.fixture
def ends() -> Iterator[tuple[Channel, Connection]]:
    """Give a channel, and the plain connection at its other end."""
    ours, theirs = multiprocessing.Pipe()
    with ours, theirs:
        yield Channel(ours), theirs


def test_messages_go_both_ways(ends: tuple[Channel, Connection]) -> None:
    channel, other = ends
    assert channel.write({"one": 1})
    assert other.recv() == {"one": 1}
    assert channel.read() is None
    other.send("two")
    other.send("three")
    assert [channel.read(), channel.read(), channel.read()] == ["two", "three", None]


def test_a_reader_that_does_not_read_is_not_waited_for(ends: tuple[Channel, Connection]) -> None:
    channel, other = ends
    messages = [bytes(100_000) for _ in range(20)]
    for message in messages:
        channel.write(message)
    assert channel.writing
    found: list[bytes] = []
    while len(found) < len(messages):
        found.append(other.recv())
        channel.resume()
    assert found == messages
    assert not channel.writing


def test_a_message_that_is_not_wholly_there_is_not_waited_for(ends: tuple[Channel, Connection]) -> None:
    channel, other = ends
    sender = Channel(other)
    message = bytes(20 * PIECE)
    sender.write(message)
    found = [channel.read() for _ in range(3)]
    assert found == [None] * 3, "one piece at a time"
    while (last := channel.read()) is None:
        sender.resume()
    assert last == message


def test_the_end_of_the_other_side_shows(ends: tuple[Channel, Connection]) -> None:
    channel, other = ends
    other.send("last words")
    other.close()
    assert channel.read() == "last words"
    with pytest.raises(EOFError):
        channel.read()
    with pytest.raises(OSError):
        channel.write("too late")
