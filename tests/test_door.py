"""Strangers at the door: a link follows its peer, never anybody else while the peer's own address answers."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest
from google_crc32c import value as crc32c

from alagg.door import CANDIDATES
from alagg.engine import header
from alagg.ports import sockaddr
from tests.engine.helpers import ONE, TWO, numbered
from tests.udp_pair import Pair

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="marks need root")


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    pair = Pair(tmp_path, request.param)
    yield pair
    pair.close()


@pytest.fixture
def stranger(pair: Pair) -> Iterator[socket.socket]:
    """Give a socket at an address that no link leads to, connected to the hub."""
    with socket.socket(pair.hub.port().family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect(pair.hub.port()._socket.getsockname())
        yield sock


def data(epoch: int = 0xB, link_id: int = 0, sequence: int = 1 << 20) -> bytes:
    """Give a frame as good as the spoke's, with a packet to the hub."""
    packet = numbered([7], source=TWO, destination=ONE)[0]
    return header.encode(
        header.DATA, epoch, 0, sequence, link_id, 1, 0, 0, len(packet), crc32c(packet)
    ) + packet




def exchange(pair: Pair) -> None:
    """See that packets cross both ways."""
    there, back = numbered(range(50), source=TWO, destination=ONE), numbered(range(50), source=ONE, destination=TWO)
    pair.spoke.capture.put(there)
    pair.hub.capture.put(back)
    pair.settle()
    assert (pair.hub.packets(), pair.spoke.packets()) == (there, back)


def test_hub_learns_where_its_peer_is(pair: Pair) -> None:
    assert pair.hub.link()["reason"] == "it waits for the peer's first frame"
    pair.run(1.5)
    assert (pair.hub.link()["state"], pair.spoke.link()["state"]) == ("up", "up")
    assert pair.hub.link()["address"].rpartition(":")[0] == pair.place.rpartition(":")[0]
    exchange(pair)


def test_link_follows_its_peer_to_another_port(pair: Pair) -> None:
    pair.run(1.5)
    before = pair.hub.link()["address"]
    exchange(pair)
    pair.spoke.move()
    pair.spoke.capture.put(numbered([1], source=TWO, destination=ONE))
    pair.run(1)
    assert pair.hub.link()["address"] != before
    exchange(pair)


def test_peer_that_restarts_elsewhere_is_found_again(pair: Pair) -> None:
    pair.run(1.5)
    pair.restart(f"remote = {pair.place}", epoch=0xC)
    pair.run(5)
    exchange(pair)


def test_hub_that_restarts_is_found_again(pair: Pair) -> None:
    pair.run(1.5)
    pair.hub.worker.whereabouts.ways.clear()
    pair.hub.worker.reconfigure(pair.config("hub", TWO, f"local = {pair.place}"))
    assert pair.hub.link()["address"] == ""
    pair.run(3)
    exchange(pair)


def test_nobody_else_moves_a_link_whose_address_answers(pair: Pair, stranger: socket.socket) -> None:
    pair.run(1.5)
    address, delivered = pair.hub.link()["address"], pair.hub.packets()
    for _ in range(20):
        for number in range(50):
            stranger.send(data(sequence=number))
        pair.run(0.1)
    assert pair.hub.link()["address"] == address
    assert pair.hub.packets() == []
    assert delivered == []
    drops = pair.hub.drops()
    assert drops["stranger_elsewhere"] == 1000
    with pytest.raises(BlockingIOError):
        stranger.recv(100)
    exchange(pair)


def test_frames_of_nobody_are_counted(pair: Pair, stranger: socket.socket) -> None:
    pair.run(1.5)
    before = pair.hub.drops()
    for frame in (b"", b"short", bytes(24), data()[:-1], data(epoch=0xD), data(link_id=9)):
        stranger.send(frame)
    pair.settle()
    after = pair.hub.drops()
    assert after["stranger_malformed"] - before["stranger_malformed"] == 4
    assert after["stranger_unknown"] - before["stranger_unknown"] == 2
    assert pair.hub.packets() == []


def test_address_that_does_not_answer_the_probe_gets_nothing(pair: Pair, stranger: socket.socket) -> None:
    """The peer is gone: a stranger with its session is asked, and nothing of it is delivered."""
    pair.run(1.5)
    address = pair.hub.link()["address"]
    pair.spoke.worker.running = False
    pair.spoke.worker.run()
    for _ in range(20):
        stranger.send(data())
        pair.run_alone(0.1)
    assert (pair.hub.link()["address"], pair.hub.packets()) == (address, [])
    assert pair.hub.drops()["stranger_unproven"] > 0
    assert header.decode(stranger.recv(100))[0] == header.PROBE


def test_many_addresses_that_claim_a_session_cost_a_bound(pair: Pair) -> None:
    pair.run(1.5)
    pair.spoke.worker.running = False
    pair.spoke.worker.run()
    pair.run_alone(2)
    door, (slot,) = pair.hub.worker.whereabouts.door, pair.hub.worker.slots.values()
    frame = data()
    for number in range(3 * CANDIDATES):
        remote = sockaddr.pack(sockaddr.ip("::1"), 1024 + number, family=socket.AF_INET6)
        if pair.hub.port().family == socket.AF_INET:
            remote = sockaddr.pack(sockaddr.ip("127.0.0.1"), 1024 + number, family=socket.AF_INET)
        door.strange(slot, (remote, frame[:24], [frame[24:]]), 0, pair.clock.now)
    assert len(door._candidates) <= CANDIDATES
    pair.run_alone(3)
    assert not door._candidates
