"""Links that are cut, pulled, plugged in again, added and removed while packets flow."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from alagg.engine.events import LinkStateChanged
from alagg.engine.header import DATA
from alagg.lab.impairment import Settings
from tests.sim.network import Network

if TYPE_CHECKING:
    from tests.sim.network import Cable, Host


def two_hosts(*links: Settings, **options: float | None) -> tuple[Network, Host, Host]:
    network = Network(seed=7)
    one, two = network.host(**options), network.host(**options)
    for number, settings in enumerate(links):
        network.connect(one, two, f"link{number}", settings)
    return network, one, two


def states(host: Host, cable: Cable) -> list[str]:
    return [
        event.state
        for _, event in host.events
        if isinstance(event, LinkStateChanged) and event.link == cable.name and event.state != "wary"
    ]


@pytest.mark.parametrize("way", ["cut", "pull"])
def test_each_link_may_go_and_return_in_turn(way: str) -> None:
    network, one, two = two_hosts(Settings(delay=0.001), Settings(delay=0.003))
    streams = [
        network.stream(origin, target, count=2000, interval=0.005) for origin, target in ((one, two), (two, one))
    ]
    for turn in range(6):
        cable = network.cables[turn % 2]
        network.at(0.5 + 1.5 * turn, cable.cut if way == "cut" else cable.pull)
        network.at(1.25 + 1.5 * turn, cable.mend if way == "cut" else cable.plug)
    network.run(12.0)
    for stream in streams:
        report = stream.report()
        assert report[:4] == (2000, 0, 0, 0)
        assert report.longest_delay < 0.05
    down = "silent" if way == "cut" else "down"
    assert states(one, network.cables[0]) == states(two, network.cables[0]) == ["up", *[down, "up"] * 3]


def test_link_that_is_cut_in_one_direction_only() -> None:
    network, one, two = two_hosts(Settings(), Settings())
    wire = network.cables[0].wires[two]
    wire.impairment.settings = Settings(cut=True)
    streams = [
        network.stream(origin, target, count=400, interval=0.01) for origin, target in ((one, two), (two, one))
    ]
    network.run(6.0)
    assert [stream.report()[:4] for stream in streams] == [(400, 0, 0, 0)] * 2
    assert states(one, network.cables[0]) == states(two, network.cables[0]) == ["silent"]


def test_all_links_gone_and_back() -> None:
    network, one, two = two_hosts(Settings(), Settings())
    stream = network.stream(one, two, count=1000, interval=0.01)
    for cable in network.cables:
        network.at(3.005, cable.pull)
        network.at(5.005, cable.plug)
    network.run(12.0)
    assert stream.report()[:4] == (1000, 200, 0, 0)
    (peer,) = one.endpoint.peers.values()
    assert (peer.sender.sent, peer.sender.dropped_no_link) == (800, 200)


def test_long_black_hole_under_load_is_survived() -> None:
    """The numbers run far beyond the window while nothing arrives; the stream goes on at once when it does."""
    network, one, two = two_hosts(Settings(), Settings())
    stream = network.stream(one, two, count=200_000, interval=0.001, batch=50, size=8)
    for cable in network.cables:
        network.at(1.0005, cable.cut)
        network.at(3.0005, cable.mend)
    network.run(6.0)
    assert stream.report()[:4] == (200_000, 100_000, 0, 0)


def test_hot_plugged_link_takes_over() -> None:
    network, one, two = two_hosts(Settings())
    stream = network.stream(one, two, count=1000, interval=0.01)
    network.at(2.0, lambda: network.connect(one, two, "new", Settings(delay=0.01)))
    network.at(4.0, network.cables[0].pull)
    network.run(12.0)
    assert stream.report()[:4] == (1000, 0, 0, 0)


def test_latent_error_is_told_when_a_link_loses_data_but_answers_probes() -> None:
    network, one, two = two_hosts(Settings(), Settings())
    wire, count = network.cables[1].wires[two], itertools.count()
    send = wire.send

    def lose_data(frames: list[bytes], now: float) -> int:
        send([frame for frame in frames if frame[0] & 0x0F != DATA or next(count) % 10 >= 7], now)
        return len(frames)

    wire.send = lose_data  # type: ignore[method-assign]
    stream = network.stream(one, two, count=4000, interval=0.01)
    network.run(45.0)
    assert stream.report().lost == 0
    assert "LatentError" in [type(event).__name__ for _, event in two.events]


def test_rotating_copies_stay_in_order_over_unequal_links() -> None:
    network, one, two = two_hosts(Settings(delay=0.001), Settings(delay=0.02), Settings(delay=0.004), copies=1)
    stream = network.stream(one, two, count=2000, interval=0.002, start=1.0)
    network.run(8.0)
    report = stream.report()
    assert (report.lost, report.duplicated) == (0, 0)
    assert report.out_of_order < 20
    assert report.longest_delay < 0.1
