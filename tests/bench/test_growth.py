"""Growth in the engine: every way is gone, with few packets, and differs in what it says."""

from __future__ import annotations

import pytest

from alagg.engine.scheduler.round_robin import TURN
from bench import growth
from bench.growth import AXES, BASE, VISIT, Way


@pytest.fixture(autouse=True)
def _few_packets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(growth, "PACKETS", 1024)


def test_every_way_is_measured_against_the_base() -> None:
    """The ways themselves check that every packet arrived."""
    growths = growth.run(2)
    assert [(one.axis, one.value) for one in growths] == [(axis, value) for axis in AXES for value in AXES[axis]]
    assert all(min(*one.out, *one.into) > 0 for one in growths)
    base, all_three = growth.combined(growths)
    assert (base.way, all_three.way) == (BASE, Way(links=8, flows=1000, peers=128))


def test_every_link_of_every_peer_is_warm_before_anything_is_measured() -> None:
    first, then = growth.reads(Way(links=4, peers=3))
    assert [[(peer, link, len(frames.payloads)) for peer, link, frames in read] for read in first] == [
        [(peer, link, TURN if link >= peer else 2 * TURN)] for peer in range(3) for link in range(4)
    ]
    assert growth.count(then) == 1024


def test_a_read_is_of_one_interface_and_of_all_peers_that_have_sent() -> None:
    then = growth.reads(Way(links=2, peers=4))[1]
    assert [[(peer, link, len(frames.payloads)) for peer, link, frames in read] for read in then[:2]] == [
        [*[(1, 1, VISIT), (3, 1, VISIT)] * 2, *[(0, 1, VISIT), (2, 1, VISIT)] * 2],
        [*[(0, 0, VISIT), (2, 0, VISIT)] * 2, *[(1, 0, VISIT), (3, 0, VISIT)] * 2],
    ]


def test_a_link_that_lags_comes_later() -> None:
    order = [read[0][1] for read in growth.reads(Way(depth=128))[1]]
    assert order == [1, 1, 0, 1, 0, 1, *[0, 1] * 4, 0, 0]


def test_losses_are_frames_that_do_not_come() -> None:
    assert 900 < growth.count(growth.reads(Way(loss=0.05))[1]) < 1024
