"""A node that is killed and started again, whichever side it is; the other side is never restarted."""

from __future__ import annotations

import pytest

from alagg.engine.events import NumberingReset
from alagg.lab.impairment import Settings
from tests.sim.network import Network

KILLED = 3.0
SKEW = 0.01
"""Seconds by which the second link is slower."""
INTERVAL = 0.005
COUNT = 2000


def numbers_sent(start: float, end: float) -> set[int]:
    return {number for number in range(COUNT) if start <= number * INTERVAL < end}


@pytest.mark.parametrize("killed", [0, 1])
@pytest.mark.parametrize("pause", [0.0, 0.3, 1.0, 3.0])
def test_traffic_of_both_directions_goes_on_at_once(killed: int, pause: float) -> None:
    network = Network(seed=5)
    one, two = network.host(), network.host()
    for name, delay in (("fibre", 0.001), ("radio", 0.001 + SKEW)):
        network.connect(one, two, name, Settings(delay=delay))
    streams = [
        network.stream(origin, target, count=COUNT, interval=INTERVAL) for origin, target in ((one, two), (two, one))
    ]
    network.at(KILLED, network.hosts[killed].kill)
    network.at(KILLED + pause, network.hosts[killed].restart)
    network.run(14.0)
    for stream in streams:
        arrived = {number for _, number in stream.arrivals()}
        assert set(range(COUNT)) - arrived <= numbers_sent(KILLED - SKEW, KILLED + pause + INTERVAL)
    # What a killed node had received is forgotten: copies that the slower link brings to the new one pass again.
    repeated = [stream.report().duplicated for stream in streams]
    assert repeated[killed] == 0
    assert repeated[1 - killed] <= (2 * SKEW / INTERVAL if pause < SKEW else 0)
    (other,) = {one, two} - {network.hosts[killed]}
    resets = [time for time, event in other.events if isinstance(event, NumberingReset)]
    assert len(resets) == 1
    assert resets[0] < KILLED + pause + 1.1


def test_many_restarts_in_a_row() -> None:
    network = Network(seed=6)
    one, two = network.host(), network.host()
    for name, delay in (("fibre", 0.001), ("radio", 0.05)):
        network.connect(one, two, name, Settings(delay=delay))
    stream = network.stream(one, two, count=COUNT, interval=INTERVAL)
    for restart in range(1, 40):
        network.at(restart * 0.2, one.restart)
    network.run(14.0)
    report = stream.report()
    assert (report.lost, report.duplicated) == (0, 0)


def test_late_frames_of_the_old_epoch_do_not_disturb_the_new_one() -> None:
    """The slow link still brings frames of the killed node when the new one has long taken over."""
    network = Network(seed=7)
    one, two = network.host(), network.host()
    network.connect(one, two, "fibre", Settings(delay=0.001))
    network.connect(one, two, "satellite", Settings(delay=2.5))
    stream = network.stream(one, two, count=COUNT, interval=INTERVAL)
    network.at(KILLED, one.restart)
    network.run(16.0)
    report = stream.report()
    assert report[:4] == (COUNT, 0, 0, 0)
    (peer,) = two.endpoint.peers.values()
    counters = peer.receiver.lanes[0].recovery.counters()
    assert (counters["passed"], counters["discarded"], counters["resets"]) == (COUNT, COUNT, 1)
