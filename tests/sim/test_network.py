"""The simulator itself: it delays, loses and repeats as it says, and the same seed gives the same run."""

from __future__ import annotations

import pytest

from alagg.lab.impairment import Settings
from tests.sim.network import Host, Network


def hosts(network: Network, *links: Settings) -> tuple[Host, Host]:
    one, two = network.host(), network.host()
    for number, settings in enumerate(links):
        network.connect(one, two, f"link{number}", settings)
    return one, two


@pytest.mark.parametrize("family", [4, 6])
def test_clean_link_carries_all_with_its_delay(family: int) -> None:
    network = Network()
    one, two = hosts(network, Settings(delay=0.25))
    stream = network.stream(one, two, count=100, interval=0.125, family=family)
    network.run(20.0)
    assert [number for _, number in stream.arrivals()] == list(range(100))
    assert stream.report() == (100, 0, 0, 0, 0.125, 0.25)


def test_faults_reach_the_application_when_there_is_one_link() -> None:
    network = Network(seed=3)
    one, two = hosts(network, Settings(loss=0.2))
    stream = network.stream(one, two, count=1000, interval=0.01)
    network.run(20.0)
    assert 150 < stream.report().lost < 250


def test_cut_and_mended() -> None:
    network = Network()
    one, two = hosts(network, Settings())
    (cable,) = network.cables
    stream = network.stream(one, two, count=100, interval=0.125)
    network.at(12.5 * 0.125, cable.cut)
    network.at(20.5 * 0.125, cable.mend)
    network.run(20.0)
    assert stream.report().lost == 8
    assert stream.report().longest_gap == 9 * 0.125


def test_rate_fills_the_queue_and_the_port_takes_no_more() -> None:
    network = Network()
    one, two = hosts(network, Settings(rate=10_000_000, queue=0.01))
    network.stream(one, two, count=1000, interval=0.0, size=1000, batch=1000)
    network.run(1.0)
    (peer,) = one.endpoint.peers.values()
    assert 60 <= peer.sender.sent <= 80, "what the queue holds, and what leaves it while the rest waits for room"
    assert peer.sender.sent + peer.sender.dropped_full == 1000
    assert len(two.arrived) == peer.sender.sent


def test_three_hosts_and_two_streams_at_once() -> None:
    network = Network()
    one, two, three = (network.host() for _ in range(3))
    network.connect(one, two, "a")
    network.connect(one, three, "b", Settings(delay=0.1))
    streams = [
        network.stream(origin, target, count=50, interval=0.01)
        for origin, target in ((one, two), (two, one), (one, three), (three, one))
    ]
    network.run(5.0)
    assert [stream.report()[:4] for stream in streams] == [(50, 0, 0, 0)] * 4


def wild_run(seed: int) -> object:
    network = Network(seed)
    fault = Settings(delay=0.01, jitter=0.005, loss=0.3, duplicate=0.1, corrupt=0.1)
    one, two = hosts(network, fault, fault)
    stream = network.stream(one, two, count=300, interval=0.01)
    network.run(10.0)
    return stream.arrivals()


def test_seed_decides_everything() -> None:
    assert wild_run(1) == wild_run(1)
    assert wild_run(1) != wild_run(2)
