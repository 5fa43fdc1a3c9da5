"""The supervisor's side of a worker's loop: what it says is done, and nobody waits for it, whatever it does."""

from __future__ import annotations

import json
import multiprocessing
import os
from typing import TYPE_CHECKING, Any

import pytest

from alagg import supervised as module
from alagg.control import snapshot
from alagg.control.parts import decode
from alagg.engine.events import LinkStateChanged
from alagg.messages import (
    PEERS,
    Happened,
    Held,
    Ready,
    SnapshotPart,
    SnapshotRequest,
    Stop,
    Taken,
    in_pieces,
)
from alagg.ports.memory import MemoryCapture, MemoryInjector, MemoryPort
from alagg.supervised import Supervised
from alagg.worker import Worker
from tests.memory_net import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alagg.config import Config

MANY = 40


def write(directory: Path, peers: int) -> Config:
    names = {f"p{number}": (f"10.0.0.{number + 1}", (f"eth{number}",)) for number in range(peers)}
    return write_config(directory / "node.cfg", names)


class Bench:
    """A worker with edges in memory, and the supervisor's end of its connection."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.capture = MemoryCapture()
        self.worker = Worker(
            write(directory, MANY), 7, [self.capture], MemoryInjector(), lambda *_: MemoryPort(), lambda: 0.0
        )
        self.ours, self.theirs = multiprocessing.Pipe()
        Supervised(self.worker, self.theirs)

    def say(self, *messages: object) -> None:
        for message in messages:
            self.ours.send(message)

    def steps(self, count: int = 1) -> None:
        for _ in range(count):
            self.worker.step(0)

    def heard(self) -> list[Any]:
        found = []
        while self.ours.poll(0):
            found.append(self.ours.recv())
        return found

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()
        self.worker.running = False
        self.worker.run()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_counters_come_a_part_in_each_round(bench: Bench) -> None:
    bench.say(SnapshotRequest(5))
    bench.steps()
    (first,) = bench.heard()
    assert (first.number, first.first, first.last) == (5, True, False)
    assert len(json.loads(f"[{first.part.links}]")) == snapshot.PART
    bench.steps(20)
    others = bench.heard()
    assert [part.last for part in others] == [False] * (len(others) - 1) + [True]
    found = decode([first.part, *(part.part for part in others)])
    assert found == bench.worker.snapshot()
    bench.steps(5)
    assert bench.heard() == []


def test_a_supervisor_that_does_not_read_is_not_waited_for(bench: Bench) -> None:
    """With a pipe that is full the loop goes on, and keeps one part at most."""
    for number in range(200):
        bench.say(SnapshotRequest(number))
        bench.steps(6)
    bench.steps(50)
    found: list[Any] = []
    while not found or found[-1].number < 199 or not found[-1].last:
        found += bench.heard()
        bench.steps()
    last = [part.part for part in found if isinstance(part, SnapshotPart) and part.number == 199]
    assert len(decode(last)["links"]) == MANY


def test_half_a_message_is_not_waited_for(bench: Bench) -> None:
    os.write(bench.ours.fileno(), b"\0\0\1\0half of what is announced")
    bench.steps(5)
    assert bench.worker.running


def test_many_peers_come_in_pieces_and_are_taken_at_the_end(bench: Bench) -> None:
    few = write(bench.directory, 2)
    bench.say(*in_pieces(few, 1))
    bench.steps(2)
    assert len(bench.worker.config.peers) == 2
    many = write(bench.directory, 3 * PEERS)
    pieces = in_pieces(many, 2)
    bench.say(*pieces[:-1])
    bench.steps(10)
    assert bench.worker.config == few
    bench.say(pieces[-1])
    bench.steps(10)
    assert bench.worker.config == many
    assert bench.heard() == [Taken(1), Taken(2)]


def test_a_configuration_that_is_overtaken_is_forgotten(bench: Bench) -> None:
    bench.say(*in_pieces(write(bench.directory, 3 * PEERS), 1)[:-1])
    newest = write(bench.directory, 3)
    bench.say(*in_pieces(newest, 2))
    bench.steps(10)
    assert bench.worker.config == newest
    assert bench.heard() == [Taken(2)]


def test_counters_begin_anew_with_a_new_configuration(bench: Bench) -> None:
    bench.say(SnapshotRequest(1))
    bench.steps()
    assert [part.first for part in bench.heard()] == [True]
    bench.say(*in_pieces(write(bench.directory, 2), 1))
    bench.steps(10)
    taken, part = bench.heard()
    assert taken == Taken(1)
    assert (part.first, part.last, len(decode([part.part])["links"])) == (True, True, 2)


def test_events_wait_for_the_supervisor_and_the_oldest_make_room(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_EVENTS", 20)
    for number in range(30):
        bench.worker.on_event(LinkStateChanged("peer", f"link {number}", "down", ""), 0)
    bench.steps(5)
    one, other = bench.heard()
    assert isinstance(one, Happened)
    assert (one.dropped, other.dropped) == (10, 0)
    lines = [str(event) for happened in (one, other) for _, event in happened.events]
    assert lines == [f"link link {number} to peer is down" for number in range(10, 30)]


def test_links_are_blocked_until_they_are_named_no_more(bench: Bench) -> None:
    def blocked() -> list[str]:
        peers = bench.worker.endpoint.peers.values()
        return [link.reason for peer in peers for link in peer.links.values() if link.state == "blocked"]

    places = (("p7", "eth7"), ("p7", "gone"), ("gone", "eth7"))
    bench.say(Held(tuple((*place, "blocked", "enough") for place in places)))
    bench.steps()
    assert blocked() == ["enough"]
    bench.say(Held(()))
    bench.steps()
    assert blocked() == []


def test_a_word_to_stop_and_the_supervisors_end_both_end_the_loop(bench: Bench, tmp_path: Path) -> None:
    bench.say(Stop())
    bench.steps()
    assert not bench.worker.running
    other = Bench(tmp_path)
    other.ours.close()
    other.steps()
    assert not other.worker.running
    other.close()


def test_messages_that_mean_nothing_here_change_nothing(bench: Bench) -> None:
    bench.say(Ready())
    bench.steps(2)
    assert bench.worker.running
