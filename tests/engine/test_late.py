"""Links with a rate: packets wait in the sender, are numbered late, and leave smoothly, by any scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg.engine.endpoint import Endpoint
from alagg.engine.peer import LinkSettings, NodeSettings, PeerSettings
from alagg.engine.scheduler import SCHEDULERS
from alagg.engine.state import BLOCKED, CAPPED, DOWN
from tests.engine.helpers import ONE, TWO, batch, networks, numbered, numbers, queued_frames, take_frames

if TYPE_CHECKING:
    from alagg.engine.flowqueue import FlowQueue
    from alagg.engine.link import Link

MBIT = 125_000.0


class Bench:
    """Two endpoints over links with rates; what is sent arrives at once."""

    def __init__(self, scheduler: str, *rates: float, weights: tuple[int, ...] = ()) -> None:
        links = tuple(
            LinkSettings(f"link{number}", 1500, weights[number] if weights else 1, rate)
            for number, rate in enumerate(rates)
        )
        self.one = Endpoint(NodeSettings(1), [PeerSettings("two", networks(TWO), links, scheduler)], networks(ONE), 0)
        self.two = Endpoint(NodeSettings(2), [PeerSettings("one", networks(ONE), links)], networks(TWO), 0)
        self.peer = self.one.peers["two"]
        self.now = 0.0
        self.arrived: list[int] = []
        self.bytes = dict.fromkeys(self.peer.links, 0)

    def link(self, number: int) -> Link:
        return self.peer.links[f"link{number}"]

    @property
    def queue(self) -> FlowQueue:
        late = self.peer.sender.late
        assert late is not None
        return late.queue

    def send(self, packets: list[bytes]) -> None:
        self.one.send(packets, self.now)
        self.move()

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.one.deadline() <= end:
            self.now = max(self.now, self.one.deadline())
            self.one.handle_timer(self.now)
            self.move()
        self.now = end

    def move(self) -> None:
        (receiver,) = self.two.peers.values()
        for link in self.one.queued_links():
            self.bytes[link.name] += sum(len(frame) + 14 for frame in queued_frames(link))
            self.two.receive(receiver.links[link.name], *batch(take_frames(link)), self.now)
        self.one.settle()
        self.one.take_events()
        self.arrived += numbers(self.two.take_packets())
        self.two.take_events()

    def check(self) -> None:
        sender = self.peer.sender
        queue = self.queue
        dropped = sender.dropped_full + sender.dropped_no_link + queue.dropped_full + queue.dropped_delay
        assert sender.captured == sender.sent + sender.waiting + dropped


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_all_arrive_in_order_and_take_their_time(scheduler: str) -> None:
    bench = Bench(scheduler, 20 * MBIT, 20 * MBIT)
    bench.send(numbered(range(60), size=1400))
    assert 0 < len(bench.arrived) < 10
    bench.run(1.0)
    assert sorted(bench.arrived) == list(range(60))
    bench.check()
    assert bench.peer.sender.waiting == 0


@pytest.mark.parametrize(("scheduler", "sum_of_rates"), [("redundant", 20), ("round-robin", 30), ("weighted", 30)])
def test_a_flood_gets_what_the_rates_give_and_no_link_more(scheduler: str, sum_of_rates: float) -> None:
    bench = Bench(scheduler, 20 * MBIT, 10 * MBIT, weights=(2, 1))
    for step in range(400):
        bench.send(numbered(range(8 * step, 8 * step + 8), size=1400))
        bench.run(0.001)
    bench.check()
    carried = len(bench.arrived) * (1424 + 20 + 14)
    assert carried == pytest.approx(0.4 * sum_of_rates * MBIT, rel=0.04)
    assert bench.bytes["link0"] <= 0.41 * 20 * MBIT
    assert bench.bytes["link1"] <= 0.41 * 10 * MBIT
    assert bench.queue.bytes <= 0.2 * 30 * MBIT


def test_weights_are_exact() -> None:
    bench = Bench("weighted", 7.5 * MBIT, 2.5 * MBIT, weights=(7500, 2500))
    for step in range(250):
        bench.send(numbered([2 * step, 2 * step + 1], size=1400))
        bench.run(0.002)
    assert bench.bytes["link0"] / sum(bench.bytes.values()) == pytest.approx(0.75, abs=0.01)
    assert sum(bench.bytes.values()) >= 0.95 * 0.5 * 10 * MBIT


def test_equal_links_carry_every_copy() -> None:
    bench = Bench("redundant", 20 * MBIT, 20 * MBIT)
    for step in range(100):
        bench.send(numbered(range(8 * step, 8 * step + 8), size=1400))
        bench.run(0.001)
    bench.run(1.0)
    one, two = bench.bytes.values()
    assert one == pytest.approx(two, rel=0.01)


@pytest.mark.parametrize("state", [DOWN, BLOCKED, CAPPED])
def test_what_a_link_has_not_sent_goes_over_the_others(state: str) -> None:
    bench = Bench("round-robin", 20 * MBIT, 20 * MBIT)
    bench.send(numbered(range(40), size=1400))
    if state == DOWN:
        bench.one.link_changed(bench.link(0), is_open=False, mtu=1500, reason="no carrier", now=bench.now)
    else:
        bench.peer.hold(bench.link(0), state, "enough", bench.now)
    bench.run(1.0)
    assert sorted(bench.arrived) == list(range(40))
    bench.check()


def test_without_any_link_what_waits_is_dropped_and_counted() -> None:
    bench = Bench("round-robin", 1 * MBIT)
    bench.send(numbered(range(40), size=1400))
    bench.one.link_changed(bench.link(0), is_open=False, mtu=1500, reason="no carrier", now=bench.now)
    bench.run(0.1)
    bench.check()
    assert bench.peer.sender.waiting == 0
    assert bench.peer.sender.dropped_no_link > 30


@pytest.mark.parametrize("size", [1400, 4000])
@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_what_was_numbered_and_never_left_is_not_called_sent(scheduler: str, size: int) -> None:
    bench = Bench(scheduler, 20 * MBIT, 10 * MBIT)
    for step in range(10):
        bench.send(numbered(range(4 * step, 4 * step + 4), size=size))
        bench.run(0.0013)
    for number in (0, 1):
        bench.one.link_changed(bench.link(number), is_open=False, mtu=1500, reason="gone", now=bench.now)
    bench.run(1.0)
    bench.check()
    bench.two.flush(bench.now)  # what waits for a number that never comes
    bench.arrived += numbers(bench.two.take_packets())
    assert bench.peer.sender.waiting == 0
    assert bench.peer.sender.sent == len(bench.arrived) > 0


def test_large_packets_are_split_and_count_once() -> None:
    bench = Bench("round-robin", 20 * MBIT, 20 * MBIT)
    bench.send(numbered(range(5), size=4000))
    bench.run(0.5)
    assert sorted(bench.arrived) == list(range(5))
    assert (bench.peer.sender.sent, bench.peer.sender.split) == (5, 5)
