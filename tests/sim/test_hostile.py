"""Floods of garbage, spoofed and replayed frames: good traffic in between is not lost, each frame is counted."""

from __future__ import annotations

import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from alagg.engine.header import PROBE, PROBE_REPLY, SIZE
from alagg.engine.sequence import HALF, MASK
from alagg.lab.impairment import Settings
from tests.engine.helpers import frame, ipv4
from tests.sim.network import Network

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.sim.network import Host

Maker = "Callable[[random.Random, list[bytes]], bytes]"


def garbage(randomness: random.Random, _: list[bytes]) -> bytes:
    return randomness.randbytes(randomness.randrange(100))


def truncated(randomness: random.Random, heard: list[bytes]) -> bytes:
    return heard[-1][: randomness.randrange(len(heard[-1]))] if heard else b""


def damaged(randomness: random.Random, heard: list[bytes]) -> bytes:
    if not heard:
        return b""
    bad = bytearray(heard[-1])
    bad[randomness.randrange(len(bad))] ^= 1 << randomness.randrange(8)
    return bytes(bad)


def replayed(randomness: random.Random, heard: list[bytes]) -> bytes:
    return randomness.choice(heard) if heard else b""


def spoofed(randomness: random.Random, _: list[bytes]) -> bytes:
    """A frame that is right in itself: any epoch, lane, number and type, a payload that nobody may send."""
    return frame(
        randomness.getrandbits(32),
        ipv4(bytes(8), source="192.0.2.1"),
        epoch=randomness.getrandbits(32),
        lane=randomness.getrandbits(8),
        link_sequence=randomness.getrandbits(32),
        frame_type=randomness.choice((1, PROBE, PROBE_REPLY)),
    )


def jumping(randomness: random.Random, heard: list[bytes]) -> bytes:
    """A frame of the live epoch with its number as far away as numbers go."""
    data = [seen for seen in heard[-10:] if len(seen) > SIZE + 8]
    if not data:
        return b""
    epoch, sequence = int.from_bytes(data[-1][4:8], "big"), int.from_bytes(data[-1][8:12], "big")
    far = randomness.choice((HALF - 1, HALF, HALF + 1, MASK - sequence, 1 << 20))
    return frame(sequence + far, ipv4(bytes(8), source="192.0.2.1"), epoch=epoch, link_sequence=sequence)


FLOODS = {maker.__name__: maker for maker in (garbage, truncated, damaged, replayed, spoofed, jumping)}


def flood(
    network: Network, target: Host, make: Callable[[random.Random, list[bytes]], bytes], count: int, each: int
) -> list[bytes]:
    """Throw frames at a host, `each` of them every millisecond; give where the frames that it heard are kept."""
    heard: list[bytes] = []
    cable = network.cables[0]
    cable.wires[target].listener = heard.extend
    randomness = random.Random(11)
    for step in range(count // each):
        network.at(
            step / 1000, lambda: target.receive(cable, [make(randomness, heard) for _ in range(each)])
        )
    return heard


@pytest.mark.parametrize("name", FLOODS)
def test_good_traffic_is_not_lost(name: str) -> None:
    network = Network(seed=9)
    one, two = network.host(), network.host()
    for link, delay in (("fibre", 0.001), ("radio", 0.005)):
        network.connect(one, two, link, Settings(delay=delay))
    streams = [
        network.stream(origin, target, count=1000, interval=0.002) for origin, target in ((one, two), (two, one))
    ]
    flood(network, two, FLOODS[name], count=10_000, each=5)
    network.run(4.0)
    assert [stream.report()[:3] for stream in streams] == [(1000, 0, 0)] * 2
    assert len(two.arrived) == 1000


def test_every_frame_of_a_flood_is_counted() -> None:
    network = Network(seed=9)
    one, two = network.host(), network.host()
    cable = network.connect(one, two, "fibre")
    network.stream(one, two, count=1000, interval=0.002)
    thrown = 0
    for make in FLOODS.values():
        flood(network, two, make, count=5000, each=5)
        thrown += 5000
    network.run(4.0)
    (peer,) = two.endpoint.peers.values()
    receiver, link = peer.receiver, two.link(cable)
    arrived = thrown + cable.wires[two].impairment.counters.received
    assert receiver.frames + sum(link.malformed.values()) == arrived
    counted = [lane.recovery.counters() for lane in receiver.lanes.values()]
    fates = sum(count["passed"] + count["discarded"] + count["rogue"] for count in counted)
    assert receiver.frames == (
        fates + receiver.probes + receiver.replies + receiver.bad_cookie + receiver.control_frames
    )


def test_memory_stays_flat_under_a_flood_of_everything() -> None:
    network = Network(seed=9)
    one, two = network.host(), network.host()
    cable = network.connect(one, two, "fibre")
    randomness = random.Random(12)
    heard = [frame(number, ipv4(bytes(8)), epoch=7) for number in range(100)]
    frames = [make(randomness, heard) for make in FLOODS.values() for _ in range(500)]
    randomness.shuffle(frames)
    now = 0.0
    tracemalloc.start()
    try:
        for step in range(20):
            for first in range(0, len(frames), 50):
                now += 0.001
                network.run(now)
                two.receive(cable, frames[first : first + 50])
            if step == 0:
                before, _ = tracemalloc.get_traced_memory()
            two.arrived.clear()
            two.events.clear()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 3_000_000
    assert one.alive


def test_foreign_packets_never_come_out() -> None:
    network = Network(seed=9)
    one, two = network.host(), network.host()
    network.connect(one, two, "fibre")
    flood(network, two, spoofed, count=5000, each=5)
    network.run(2.0)
    assert two.arrived == []
    (peer,) = two.endpoint.peers.values()
    assert peer.receiver.refused["foreign_source"] > 0
    assert one.arrived == []
