"""Sides with different numbers of workers, in virtual time: answers and reports find who asked, and loss is true."""

from __future__ import annotations

import itertools
import random
from typing import TYPE_CHECKING, Final

import pytest

from alagg.engine.endpoint import Endpoint
from alagg.engine.events import ReportHeard
from alagg.engine.header import SIZE
from alagg.engine.peer import NodeSettings
from alagg.engine.state import UP
from tests.engine.helpers import ONE, ONE6, TWO, TWO6, batch, networks, numbered, numbers, settings, take_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LINKS: Final = ("fibre", "radio")
LANE: Final = 12
"""Where the lane stands in a frame."""
STEP: Final = 0.01


def crew(count: int, here: Sequence[str], there: Sequence[str], first_epoch: int) -> list[Endpoint]:
    peer = settings(*LINKS, destinations=there)
    nodes = [NodeSettings(first_epoch + lane, lane, workers=count) for lane in range(count)]
    return [Endpoint(node, [peer], networks(*here), 0.0) for node in nodes]


def carry(
    origins: Sequence[Endpoint], targets: Sequence[Endpoint], now: float,
    lost: Callable[[str], bool] = lambda _: False,
) -> list[bytes]:  # fmt: skip
    """Carry all queued frames over, each to the worker that takes its lane, as the ports' filters have it.

    Gives the packets that came out; `lost` says of each frame by its link whether it is not to arrive.
    """
    for origin in origins:
        origin.handle_timer(now)
        queued = {link.name: take_frames(link) for link in origin.queued_links()}
        origin.settle()
        for event in origin.take_events():
            if isinstance(event, ReportHeard):  # as the crew does
                origins[event.report.lane].take_report(event.peer, event.report, now)
        for name, frames in queued.items():
            for frame in itertools.filterfalse(lambda _, name=name: lost(name), frames):  # type: ignore[misc]
                target = targets[(frame[LANE] & 0x0F) % len(targets)]
                target.receive(target.peers["peer"].links[name], *batch([frame]), now)
    return [packet for target in targets for packet in target.take_packets()]


@pytest.mark.parametrize("counts", [(1, 1), (1, 3), (2, 3), (3, 2), (16, 1), (16, 5)])
def test_each_worker_is_answered_and_sees_no_loss(counts: tuple[int, int]) -> None:
    left = crew(counts[0], (ONE, ONE6), (TWO, TWO6), 100)
    right = crew(counts[1], (TWO, TWO6), (ONE, ONE6), 200)
    sent = itertools.count()
    arrived: list[bytes] = []
    for tick in range(300):
        now = tick * STEP
        for worker in left:
            worker.send(numbered([next(sent)]), now)
        arrived += carry(left, right, now)
        carry(right, left, now)
    assert sorted(numbers(arrived)) == list(range(next(sent)))
    for worker in (*left, *right):
        peer = worker.peers["peer"]
        assert not sum(track.reordered for lane in peer.receiver.lanes.values() for track in lane.tracks.values())
        for link in peer.links.values():
            assert peer.state(link) == UP
            assert bool(peer.receiver.probes) == (worker.settings.lane == 0), "one worker watches for all"
            assert (peer.monitors[link].stray_replies, peer.monitors[link].probes_ignored) == (0, 0)
            assert not peer.loss(link)
            assert peer.expected(link) > 0 or peer.receiver.frames < 10


@pytest.mark.parametrize("counts", [(1, 2), (2, 1), (3, 2), (5, 1)])
def test_each_worker_knows_what_its_own_frames_came_to(counts: tuple[int, int]) -> None:
    """One link loses a fifth of what goes there, and nothing of what comes back."""
    left = crew(counts[0], (ONE, ONE6), (TWO, TWO6), 100)
    right = crew(counts[1], (TWO, TWO6), (ONE, ONE6), 200)
    chance = random.Random(1)
    for tick in range(600):
        now = tick * STEP
        for number, worker in enumerate(left):
            worker.send(numbered(range(tick * (number + 1), (tick + 1) * (number + 1)), 1000), now)
        carry(left, right, now, lambda name: name == "radio" and chance.random() < 0.2)
        for worker in right:
            worker.send(numbered([tick], source=TWO, destination=ONE), now)
        carry(right, left, now)
    size = SIZE + len(numbered([0], 1000)[0])
    for number, worker in enumerate(left):
        peer = worker.peers["peer"]
        loss = [peer.dialogue.tx_loss(link) for link in peer.links.values()]
        assert loss == [0, pytest.approx(0.2, abs=0.07)], "each lane's own"
        rates = [peer.dialogue.outgoing[name].rate for name in LINKS]
        wanted = (number + 1) * size / STEP
        assert rates[0] == pytest.approx(wanted, rel=0.1), "that of the lane alone"
        assert rates[1] == pytest.approx(wanted * 0.8, rel=0.25)
        assert peer.dialogue.refused_reports == 0
    for worker in right:
        peer = worker.peers["peer"]
        assert [peer.dialogue.tx_loss(link) for link in peer.links.values()] == [0, 0]
        losses = [peer.loss(link) for link in peer.links.values() if peer.expected(link)]
        assert losses in ([], [0, pytest.approx(0.2, abs=0.07)])
