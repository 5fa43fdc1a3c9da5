"""What two nodes tell each other: HELLOs once and when something is new, reports of what came."""

from __future__ import annotations

import random

import pytest

from alagg.engine import control
from alagg.engine.control import Hello
from alagg.engine.dialogue import HELLO_INTERVAL, HELLO_PAUSE, Dialogue
from alagg.engine.endpoint import Endpoint
from alagg.engine.events import Event, PacketsRefused
from alagg.engine.header import CONTROL, PROBE, decode
from alagg.engine.monitor import PROMPT
from alagg.engine.peer import NodeSettings
from tests.engine.helpers import (
    ONE,
    TWO,
    TWO6,
    batch,
    carry,
    endpoint,
    frame,
    networks,
    numbered,
    pair,
    queued_frames,
    settings,
    take_frames,
)


def dialogue_of(node: object) -> Dialogue:
    (peer,) = node.peers.values()  # type: ignore[attr-defined]
    found: Dialogue = peer.dialogue
    return found


class Script:
    """Two nodes, and the control items that went over."""

    def __init__(self) -> None:
        self.one, self.two = pair("fibre", "radio")
        self.now = 0.0
        self.items: list[control.Item] = []
        self.sent = 0
        self.events: list[Event] = []
        """What the second one told."""

    def run(self, seconds: float, *, packets: bool = False, without: tuple[str, ...] = ()) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += 0.05
            for node in (self.one, self.two):
                node.handle_timer(self.now)
            if packets:
                self.one.send(numbered([self.sent]), self.now)
                self.sent += 1
            for link in self.one.queued_links():
                frames = [decode(data) for data in queued_frames(link)]
                self.items += [
                    item for values in frames if values[0] == CONTROL for item in control.decode(values[8])
                ]
            carry(self.one, self.two, self.now, without=without)
            self.one.take_events()  # ends the round: what comes now is answered in the next one
            carry(self.two, self.one, self.now)
            self.events += self.two.take_events()


def test_peer_that_is_heard_is_probed_at_once_although_the_next_beat_is_far_off() -> None:
    script = Script()
    (peer,) = script.two.peers.values()
    patient = Endpoint(NodeSettings(2, probe_interval=60.0), [peer.settings], networks(TWO, TWO6), 0.0)
    patient.handle_timer(0.0)
    for link in patient.queued_links():
        take_frames(link)  # what was sent before the other side was there
    patient.settle()
    script.two = patient
    script.run(0.5, without=("radio",))
    (peer,) = patient.peers.values()
    assert [link.state for link in peer.links.values()] == ["up", "new"]


def test_who_says_hello_again_and_again_makes_few_probes() -> None:
    one, _ = pair("fibre")
    (peer,) = one.peers.values()
    link = peer.links["fibre"]
    kinds: list[int] = []
    for step in range(1000):
        hello = control.encode([Hello(digest=step)])
        one.receive(link, *batch([frame(0, hello, frame_type=CONTROL, epoch=2, link_sequence=step)]), step / 1000)
        one.handle_timer(step / 1000)
        for queued in one.queued_links():
            kinds += [decode(data)[0] for data in take_frames(queued)]
        one.settle()
    assert 5 <= kinds.count(PROBE) <= 2 / PROMPT + 2


def test_each_side_learns_of_the_other_and_says_hello_rarely() -> None:
    script = Script()
    script.run(2.0)
    assert dialogue_of(script.two).far.hello == next(item for item in script.items if isinstance(item, Hello))
    assert dialogue_of(script.one).far.links == {"fibre": 0, "radio": 1}
    assert (dialogue_of(script.one).advice, dialogue_of(script.two).advice) == ([], [])
    script.items.clear()
    script.run(3 * HELLO_INTERVAL)
    assert sum(isinstance(item, Hello) for item in script.items) <= 2 * 4


def test_restarted_peer_is_greeted_at_once() -> None:
    script = Script()
    script.run(2.0)
    script.two = endpoint(settings("fibre", "radio", destinations=(ONE,)), "10.0.0.2", epoch=9, now=script.now)
    script.run(1.5)
    assert dialogue_of(script.two).far.hello is not None


@pytest.mark.parametrize("share", [2, 10])
def test_sender_learns_what_its_links_lose(share: int) -> None:
    script = Script()
    chance = random.Random(1)
    for _ in range(800):
        script.run(0.05, packets=True, without=("radio",) if chance.random() < 1 / share else ())
    (peer,) = script.one.peers.values()
    dialogue = dialogue_of(script.one)
    assert dialogue.tx_loss(peer.links["fibre"]) == 0
    assert dialogue.tx_loss(peer.links["radio"]) == pytest.approx(1 / share, abs=0.08)


def test_what_cannot_be_read_is_counted_and_hellos_cannot_be_made_to_flow() -> None:
    one, _ = pair("fibre")
    (peer,) = one.peers.values()
    link = peer.links["fibre"]
    one.receive(link, *batch([frame(0, b"\x09", frame_type=CONTROL, epoch=2)]), 0.0)
    assert peer.dialogue.bad_control == 1
    for step in range(1000):
        hello = control.encode([Hello(digest=step)])
        one.receive(link, *batch([frame(0, hello, frame_type=CONTROL, epoch=2, link_sequence=step)]), step / 1000)
    assert len(link.payloads) <= 1 / HELLO_PAUSE + 1


def test_both_sides_say_which_packets_are_refused_and_why() -> None:
    script = Script()
    script.run(1.5)
    taken: list[str] = []
    for _ in range(30):
        script.one.send(numbered([1], source="203.0.113.9"), script.now)
        script.run(0.1)
        taken += dialogue_of(script.one).advice
    assert {line.partition(": over there")[0] for line in taken} == {
        "the peer refuses packets from 203.0.113.9 to 10.0.0.2"
    }
    (peer,) = script.two.peers.values()
    assert peer.receiver.refused["foreign_source"] == 30
    script.run(150.0)
    assert dialogue_of(script.one).advice == []


def test_refused_packets_are_told_of_once_a_minute() -> None:
    script = Script()
    script.run(1.5)
    while script.now < 70.0:
        script.one.send(numbered([1], source="203.0.113.9"), script.now)
        script.run(1.0)
    first, second = [event for event in script.events if isinstance(event, PacketsRefused)]
    assert str(first) == (
        "peer peer: 1 packet refused: 203.0.113.9 is not in its destinations (the last one was for 10.0.0.2)"
    )
    assert 55 <= second.count - first.count <= 62
