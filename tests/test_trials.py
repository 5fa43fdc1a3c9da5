"""What clients try on links: bounded, told bit by bit, summed up, ended when nobody listens. Time is a number."""

from __future__ import annotations

import heapq
import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg.engine.events import Measured, Ponged
from alagg.messages import Burst, Measure, Ping
from alagg.trials import MAX_PINGS, PATIENCE, Trials
from tests.memory_net import write_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alagg.messages import Try


class Node:
    """A node whose worker answers on the spot, and on its links so much of what is sent arrives."""

    def __init__(self, directory: Path) -> None:
        self.config = write_config(directory / "node.cfg", {"b": ("10.0.0.2", ("eth0", "eth1"))})
        self.links = [link.name for link in self.config.links]
        self.now = 0.0
        self.trials = Trials(self, lambda: self.now)
        self.rtt = dict.fromkeys(self.links, 0.001) | {self.links[1]: 0.003}
        self.arrives = dict.fromkeys(self.links, 1.0) | {self.links[1]: 0.25}
        self.sent = dict.fromkeys(self.links, 0)
        self.reasons = dict.fromkeys(self.links, "")
        self.busy = self.silent = False
        self._count = itertools.count()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []

    def call_in(self, seconds: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._timers, (self.now + seconds, next(self._count), call))

    def try_on_link(self, message: Try) -> bool:
        if self.busy:
            return False
        link = message.link
        if isinstance(message, Burst):
            self.sent[link] += message.frames
        elif not self.silent:
            event = self._answer(message, link)
            self.call_in(self.rtt[link], lambda: self.trials.heard(event))
        return True

    def _answer(self, message: Ping | Measure, link: str) -> Ponged | Measured:
        if isinstance(message, Ping):
            return Ponged("b", link, message.number, -1 if self.reasons[link] else self.rtt[link], self.reasons[link])
        sent = self.sent[link]
        came = int(sent * self.arrives[link])
        return Measured("b", link, message.number, sent, 0, sent, came, 1, 1500, self.reasons[link])

    def run(self) -> None:
        while self._timers:
            self.now, _, call = heapq.heappop(self._timers)
            call()


class Listener:
    def __init__(self) -> None:
        self.gone = self.ended = False
        self.said: list[dict[str, Any]] = []

    def answer(self, values: dict[str, Any]) -> None:
        self.said.append(values)
        self.ended = True

    def begin(self) -> None:
        self.ended = False

    def stream(self, event: dict[str, Any]) -> None:
        self.said.append(json.loads(json.dumps(event)))

    def end(self) -> None:
        self.ended = True


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def ask(node: Node, what: str, **asked: object) -> Listener:
    listener = Listener()
    getattr(node.trials, what)(listener, json.dumps({"peer": "b", **asked}))
    return listener


def answer(node: Node, what: str, **asked: object) -> dict[str, Any]:
    """Ask, let the time pass, and give the last word."""
    listener = ask(node, what, **asked)
    node.run()
    assert listener.ended
    return listener.said[-1]


def test_ping_tells_of_each_link_and_of_the_bond(node: Node) -> None:
    done = answer(node, "ping", count=4, interval=0.5)
    assert [(link["sent"], link["received"], link["loss"], link["avg_ms"]) for link in done["links"]] == [
        (4, 4, 0, pytest.approx(1)), (4, 4, 0, pytest.approx(3))
    ]  # fmt: skip
    assert done["bond"] == {"sent": 4, "received": 4, "loss": 0, "min_ms": 1, "avg_ms": 1, "max_ms": 1}
    assert 1.5 <= node.now <= 1.5 + PATIENCE


def test_ping_of_one_link_says_nothing_of_the_bond(node: Node) -> None:
    done = answer(node, "ping", link=node.links[1])
    assert ([link["link"] for link in done["links"]], done["bond"]) == ([node.links[1]], None)


def test_ping_without_an_answer_is_lost_in_time(node: Node) -> None:
    node.silent = True
    done = answer(node, "ping", count=2)
    assert [(link["received"], link["loss"]) for link in done["links"]] == [(0, 1), (0, 1)]
    assert (done["bond"]["received"], done["bond"]["min_ms"]) == (0, None)


def test_ping_on_a_blocked_link_says_why(node: Node) -> None:
    node.reasons[node.links[0]] = "blocked: by the operator"
    done = answer(node, "ping", count=2)
    assert done["links"][0]["reason"] == "blocked: by the operator"
    assert (done["links"][0]["received"], done["bond"]["received"]) == (0, 2)


def test_busy_worker_is_left_alone(node: Node) -> None:
    node.busy = True
    done = answer(node, "ping", count=2)
    assert {link["reason"] for link in done["links"]} == {"the node has too much to do"}


def test_nothing_is_sent_for_who_has_gone(node: Node) -> None:
    listener = ask(node, "ping", count=1000)
    listener.gone = True
    node.run()
    assert node.now < 10
    speed = ask(node, "speed")
    speed.gone = True
    node.run()
    assert sum(node.sent.values()) == 0


def test_so_many_ping_at_the_same_time_and_no_more(node: Node) -> None:
    listeners = [ask(node, "ping") for _ in range(MAX_PINGS + 1)]
    assert "error" in listeners[-1].said[-1]
    node.run()
    assert all(listener.said[-1]["done"] for listener in listeners[:-1])
    assert answer(node, "ping")["done"]


def test_speed_of_each_link_and_of_all(node: Node) -> None:
    done = answer(node, "speed", seconds=2, rate=10_000_000)
    first, second = done["links"]
    assert first["sent_bps"] == pytest.approx(10e6, rel=0.02)
    assert (first["loss"], first["arrived_bps"]) == (0, first["sent_bps"])
    assert second["loss"] == pytest.approx(0.75, abs=0.01)
    assert second["arrived_bps"] == pytest.approx(2.5e6, rel=0.05)
    assert done["bond"]["arrived_bps"] == max(link["arrived_bps"] for link in done["bond"]["links"])
    assert first["bytes"] == pytest.approx(2 * 10e6 / 8, rel=0.02)


def test_speed_of_a_bond_that_adds_up(node: Node) -> None:
    node.config = write_config(node.config.path, {"b": ("10.0.0.2", ("eth0", "eth1"))}, scheduler="round-robin")
    done = answer(node, "speed", seconds=1, rate=10_000_000)
    assert done["bond"]["arrived_bps"] == sum(link["arrived_bps"] for link in done["bond"]["links"])


def test_speed_never_sends_more_than_it_says(node: Node) -> None:
    listener = ask(node, "speed", seconds=1, rate=1_000_000, link=node.links[0])
    for _ in range(3):  # a loop that sleeps does not make up for it
        node.now += 0.4
        node.run()
    assert listener.said[-1]["done"]
    assert sum(node.sent.values()) * 1500 * 8 <= 1_000_000 * 1.05


def test_speed_of_a_link_that_is_blocked_or_not_told_of(node: Node) -> None:
    node.reasons[node.links[0]] = "blocked: by the operator"
    node.arrives[node.links[1]] = 0
    done = answer(node, "speed", seconds=0.5)
    assert done["links"][0]["reason"] == "blocked: by the operator"
    assert done["links"][0]["arrived_bps"] is None
    assert node.sent[node.links[0]] == 0


def test_speed_ends_when_the_worker_is_silent(node: Node) -> None:
    node.silent = True
    assert "gone, or the node is too busy" in answer(node, "speed")["error"]
    node.silent = False
    assert answer(node, "speed", seconds=0.5)["done"]


@pytest.mark.parametrize(
    ("what", "asked", "said"),
    [
        ("ping", {"peer": "c"}, "no peer c; there are: b"),
        ("ping", {"peer": 1}, 'allowed: ping {"peer"'),
        ("ping", {"link": "x"}, "no link x to b; there are: "),
        ("ping", {"count": 1001}, "count: 1001 is not from 1 to 1000"),
        ("ping", {"interval": 0}, "interval: 0 is not from 0.02 to 10"),
        ("ping", {"size": "x"}, "size: 'x' is not from 0 to 65535"),
        ("speed", {"seconds": 31}, "seconds: 31 is not from 0.5 to 30"),
        ("speed", {"rate": True}, "rate: True is not from"),
    ],
)
def test_wrong_questions(node: Node, what: str, asked: dict[str, Any], said: str) -> None:
    assert said in answer(node, what, **asked)["error"]


def test_no_json_is_a_wrong_question(node: Node) -> None:
    listener = Listener()
    node.trials.ping(listener, "b")
    assert "allowed: ping" in listener.said[-1]["error"]


def test_only_peer_need_not_be_named(node: Node) -> None:
    assert answer(node, "ping", peer="")["peer"] == "b"
