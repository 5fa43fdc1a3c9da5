"""Sides with different numbers of workers, in virtual time: answers find who asked, and no lane sees a loss."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import pytest

from alagg.engine.endpoint import Endpoint
from alagg.engine.peer import NodeSettings
from alagg.engine.state import UP
from tests.engine.helpers import ONE, ONE6, TWO, TWO6, batch, networks, numbered, numbers, settings, take_frames

if TYPE_CHECKING:
    from collections.abc import Sequence

LINKS: Final = ("fibre", "radio")
LANE: Final = 12
"""Where the lane stands in a frame."""
STEP: Final = 0.01


def crew(count: int, here: Sequence[str], there: Sequence[str], first_epoch: int) -> list[Endpoint]:
    peer = settings(*LINKS, destinations=there)
    nodes = [NodeSettings(first_epoch + lane, lane, workers=count) for lane in range(count)]
    return [Endpoint(node, [peer], networks(*here), 0.0) for node in nodes]


def carry(origins: Sequence[Endpoint], targets: Sequence[Endpoint], now: float) -> list[bytes]:
    """Carry all queued frames over, each to the worker that takes its lane, as the ports' filters have it.

    Gives the packets that came out.
    """
    for origin in origins:
        origin.handle_timer(now)
        queued = {link.name: take_frames(link) for link in origin.queued_links()}
        origin.settle()
        origin.take_events()
        for name, frames in queued.items():
            for frame in frames:
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
