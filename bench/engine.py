"""The engine alone: what a packet costs on its way out and in, beside the least that C needs, and as things grow.

It measures the form of the engine that this process imports (see `alagg.form`). The ways take turns, repeat after
repeat, so that a busy moment of the machine spreads over all of them. Only the endpoint's verbs are used, as
`alagg.worker` uses them.
"""

from __future__ import annotations

import gc
import ipaddress
import struct
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from alagg import form
from alagg.engine.endpoint import Endpoint
from alagg.engine.merge import Merger
from alagg.engine.peer import LinkSettings, NodeSettings, PeerSettings
from alagg.engine.segment import cut
from bench.native import Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alagg.engine.link import Link

    Work = Callable[[], object]
    """What is timed; everything is ready for it."""

PACKETS: Final = 8192
"""Packets of one measurement."""
SIZE: Final = 1400
"""Bytes of a packet, IP header included."""
VISIT: Final = 8
"""Segments of a super-packet. With the next one it is the next flow's turn, and the next peer's."""
BATCH: Final = 8
"""Super-packets that are captured at once."""
WARM: Final = 32
"""Packets for each link of each peer before anything is measured: what happens once in a life does not count."""
PACE: Final = 5e-6
"""Seconds between packets on the engine's clock: timers come due as often as at full speed, some 2.2 Gbit/s."""

HERE: Final = ipaddress.IPv4Network("10.99.0.1")
THERE: Final = [ipaddress.IPv4Network(f"10.99.{number // 250 + 1}.{number % 250 + 1}") for number in range(128)]
"""The peers' addresses."""


@dataclass(frozen=True)
class Way:
    """What the packets meet on their way."""

    scheduler: str = "redundant"
    links: int = 2
    flows: int = 1
    peers: int = 1
    super_packets: bool = False
    """Whether they are captured as super-packets of TCP, to be cut, and merged again at the other end."""

    @property
    def warm(self) -> int:
        """Packets before those that are measured."""
        whole = BATCH * VISIT
        return -(-self.links * self.peers * WARM // whole) * whole


class Read(NamedTuple):
    """Frames that one peer's link brought: the peer's number, the link's, headers, payloads."""

    peer: int
    link: int
    headers: bytes
    payloads: list[bytes | None]


PLAIN: Final = Way()
BASE: Final = Way("round-robin", super_packets=True)
GROWN: Final = Way("round-robin", 8, 1000, 128, super_packets=True)


def run(repeats: int) -> dict[str, Any]:
    """Measure everything; give seconds per packet by the name of what was measured, one sample of each repeat."""
    reference = Reference()
    works: dict[str, Callable[[], Work]] = {
        "out": partial(way_out, PLAIN), "in": partial(way_in, PLAIN),
        "C out": lambda: partial(reference.out, SIZE, PLAIN.links, PACKETS),
        "C in": lambda: partial(reference.into, SIZE, PLAIN.links, PACKETS),
        "base out": partial(way_out, BASE), "base in": partial(way_in, BASE),
        "grown out": partial(way_out, GROWN), "grown in": partial(way_in, GROWN),
    }
    seconds: dict[str, dict[str, float]] = {name: {} for name in works}
    for repeat in range(repeats):
        for name, prepare in works.items():
            seconds[name][str(repeat)] = float(f"{time_once(prepare()) / PACKETS:.4g}")
    return {"form": form.engine(), "seconds": seconds}


def time_once(work: Work) -> float:
    """Give the processor's seconds of one run: what else runs on the machine hardly counts.

    What was prepared is kept from the garbage collector's eyes.
    """
    gc.collect()
    gc.freeze()
    try:
        start = time.process_time()
        work()
        return time.process_time() - start
    finally:
        gc.unfreeze()


# --- the ways ------------------------------------------------------------------------------------------------------


def way_out(way: Way) -> Work:
    """From captured packets to frames."""
    endpoint = sending(way)
    batches = list(captured(way))
    warm = way.warm // (BATCH * VISIT)
    for batch in batches[:warm]:
        endpoint.send(packets_of(batch), 0.0)
        finish_round(endpoint, 0.0)

    def work() -> None:
        now = 0.0
        for batch in batches[warm:]:
            now += PACE * VISIT * BATCH
            endpoint.send(packets_of(batch) if way.super_packets else batch, now)
            finish_round(endpoint, now)
        assert sum(peer.sender.sent for peer in endpoint.peers.values()) == way.warm + PACKETS

    return work


def way_in(way: Way) -> Work:
    """From frames to packets."""
    endpoint = receiving(way)
    links = [list(peer.links.values()) for peer in endpoint.peers.values()]
    rounds = [[(links[read.peer][read.link], read.headers, read.payloads) for read in reads]
              for reads in arrivals(way)]
    copies = way.links if way.scheduler == "redundant" else 1
    frames = sum(len(payloads) for reads in rounds for _, _, payloads in reads)
    assert frames == copies * (way.warm + PACKETS)
    merger = Merger()
    step = PACE * PACKETS / len(rounds)

    def take(some: list[list[tuple[Link, bytes, list[bytes | None]]]], now: float) -> None:
        for reads in some:
            now += step
            for link, headers, payloads in reads:
                endpoint.receive(link, headers, payloads, now)
            packets = finish_round(endpoint, now)
            if way.super_packets:
                merger.merge(packets)

    warm = len(rounds) * way.warm // (way.warm + PACKETS)
    take(rounds[:warm], 0.0)

    def work() -> None:
        take(rounds[warm:], warm * step)
        endpoint.flush(1.0)
        finish_round(endpoint, 1.0)
        assert sum(peer.receiver.delivered for peer in endpoint.peers.values()) == way.warm + PACKETS

    return work


def finish_round(endpoint: Endpoint, now: float) -> list[bytes]:
    """Do what the worker does in each round, with ports that take everything; give the packets to be injected."""
    endpoint.handle_timer(now)
    for link in endpoint.queued_links():
        link.settle(len(link.payloads))
    endpoint.settle()
    packets = endpoint.take_packets()
    endpoint.take_events()
    return packets


# --- both ends -----------------------------------------------------------------------------------------------------


def sending(way: Way) -> Endpoint:
    """Give the end that packets leave."""
    return Endpoint(NodeSettings(1), [peer(way, number, THERE[number]) for number in range(way.peers)], (HERE,), 0.0)


def receiving(way: Way) -> Endpoint:
    """Give the other end. It is as many hosts as there are peers: each of them has a peer, which is us."""
    return Endpoint(NodeSettings(2), [peer(way, number, HERE) for number in range(way.peers)],
                    tuple(THERE[: way.peers]), 0.0)


def peer(way: Way, number: int, destination: ipaddress.IPv4Network) -> PeerSettings:
    """Give the settings of a peer."""
    links = tuple(LinkSettings(f"link{link}", 1500) for link in range(way.links))
    return PeerSettings(f"peer{number}", (destination,), links, way.scheduler)


def captured(way: Way) -> Iterator[list[bytes]]:
    """Give what is captured at once, batch after batch: super-packets, or packets as they are."""
    first = 0
    for _ in range((way.warm + PACKETS) // (BATCH * VISIT)):
        batch = [super_packet(way, visit) for visit in range(first, first + BATCH)]
        yield batch if way.super_packets else packets_of(batch)
        first += BATCH


def packets_of(batch: list[bytes]) -> list[bytes]:
    """Cut super-packets; packets stay as they are."""
    return [packet for one in batch for packet in cut(one, SIZE)]


def arrivals(way: Way) -> Iterator[list[Read]]:
    """Give what is read from an interface at once: the frames of a batch, those of all peers' links of one number."""
    endpoint = sending(way)
    peers = list(endpoint.peers.values())
    for batch in captured(way):
        endpoint.send(packets_of(batch), 0.0)
        by_link: dict[int, list[Read]] = {}
        for number, one in enumerate(peers):
            for index, link in enumerate(one.links.values()):
                if link.payloads:
                    read = Read(number, index, bytes(link.headers), list(link.payloads))
                    by_link.setdefault(index, []).append(read)
        finish_round(endpoint, 0.0)
        yield from (by_link[index] for index in sorted(by_link))


def super_packet(way: Way, visit: int) -> bytes:
    """Give a TCP super-packet; a flow's bytes go on from visit to visit."""
    step, again = SIZE - 40, visit // max(way.flows, way.peers)
    ports = struct.pack(">HHII", 5002 + visit % way.flows, 5001, again * VISIT * step & 0xFFFF_FFFF, 1)
    body = (ports + struct.pack(">BBHHH", 0x50, 0x10, 512, 0, 0)).ljust(20 + VISIT * step, b"\xa5")
    addresses = HERE.network_address.packed + THERE[visit % way.peers].network_address.packed
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(body), again * VISIT & 0xFFFF, 0x4000, 64, 6, 0)
    return head + addresses + body
