"""Growth, in the engine alone: what a packet costs with more links, flows and peers, larger buffers, and loss.

Every way is that of TCP: super-packets are cut, framed, received, ordered and merged again. The costs of the way out
and of the way in are added up and given relative to two links, one flow and one peer in the same repeats.
"""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass
from functools import partial
from itertools import chain, groupby
from typing import TYPE_CHECKING, Final, TypeVar

from alagg.engine.endpoint import Endpoint
from alagg.engine.merge import Merger
from alagg.engine.peer import LinkSettings, NodeSettings, Peer, PeerSettings
from alagg.engine.scheduler.round_robin import TURN
from alagg.engine.segment import cut
from alagg.ports.nfqueue import SUPER_BATCH
from bench.engine import HERE, PACE, SEGMENT, WINDOW, Case, Frames, finish_round, measure, super_packet, take_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

PACKETS: Final = 8192
"""Packets of one measurement."""
VISIT: Final = 8
"""Segments that a flow sends before it is the next one's turn."""
CAPTURED: Final = SUPER_BATCH
"""Super-packets that are captured at once."""
READ: Final = 64
"""Frames that are read from an interface at once, from whichever peers they are."""
FIRST: Final = 104
"""Bytes of the packets that come before those that are measured."""
SEED: Final = 1


@dataclass(frozen=True)
class Way:
    """What the packets meet on their way."""

    links: int = 2
    flows: int = 1
    peers: int = 1
    window: int = WINDOW
    depth: int = 0
    """Frames that a first link lags behind: so many packets, at least, are held for order."""
    loss: float = 0.0


@dataclass(frozen=True)
class Growth:
    """What a way costs: seconds per packet, one of each repeat."""

    axis: str
    value: str
    way: Way
    out: tuple[float, ...]
    into: tuple[float, ...]

    @property
    def total(self) -> list[float]:
        """Both directions together."""
        return [out + into for out, into in zip(self.out, self.into, strict=True)]


BASE: Final = Way()
AXES: Final[dict[str, dict[str, Way]]] = {
    "base": {"2 links, 1 flow, 1 peer": BASE},
    "links": {str(count): Way(links=count) for count in (1, 4, 8)},
    "flows": {str(count): Way(flows=count) for count in (10, 1000)},
    "peers": {str(count): Way(peers=count) for count in (16, 128)},
    "all three": {"8 links, 1000 flows, 128 peers": Way(links=8, flows=1000, peers=128)},
    "all three, loss": {"5%": Way(links=8, flows=1000, peers=128, loss=0.05)},
    "window": {f"2^{bits}": Way(window=1 << bits) for bits in (12, 20)},
    "reorder depth": {str(depth): Way(depth=depth) for depth in (64, 512, 2048)},
    "loss": {f"{share:.0%}": Way(loss=share) for share in (0.01, 0.05)},
}
"""What grows, and how far; all else stays as in the base."""


def run(repeats: int) -> list[Growth]:
    """Measure every way, in turns."""
    ways = [(axis, value, way) for axis, values in AXES.items() for value, way in values.items()]
    cases = [Case(side, partial(prepare, way), packets=PACKETS) for _, _, way in ways
             for side, prepare in (("out", out_work), ("in", in_work))]
    samples = [cost.samples for cost in measure(cases, repeats)]
    pairs = zip(samples[::2], samples[1::2], strict=True)
    return [Growth(*one, *both) for one, both in zip(ways, pairs, strict=True)]


def out_work(way: Way) -> Callable[[], object]:
    """From super-packets to frames."""
    endpoint = Endpoint(NodeSettings(1, window=way.window), settings(way, THERES), (HERE,), 0.0)
    sent = PACKETS + TURN * sum(first_turns(way, peer) for peer in range(way.peers))
    captured = pieces([packet for _, packet in super_packets(way)], CAPTURED)
    for number in range(way.peers):
        endpoint.send(first_packets(way, number), 0.0)
        finish_round(endpoint, 0.0)

    def work() -> None:
        now = 0.0
        for batch in captured:
            now += PACE * VISIT * len(batch)
            packets: list[bytes] = []
            for packet in batch:
                packets += cut(packet, SEGMENT)
            endpoint.send(packets, now)
            finish_round(endpoint, now)
        assert sum(peer.sender.sent for peer in endpoint.peers.values()) == sent

    return work


def in_work(way: Way) -> Callable[[], object]:
    """From frames to super-packets."""
    node = NodeSettings(2, window=way.window)
    endpoint = Endpoint(node, settings(way, THERES, here=True), tuple(THERES[: way.peers]), 0.0)
    links = [list(peer.links.values()) for peer in endpoint.peers.values()]
    first, then = reads(way)
    for peer, link, frames in chain.from_iterable(first):
        endpoint.receive(links[peer][link], *frames, 0.0)
        finish_round(endpoint, 0.0)
    rounds = []
    now = 0.0
    for read in then:
        now += PACE * count([read])
        rounds.append((now, [(links[peer][link], *frames) for peer, link, frames in read]))
    end, arrived = now, count(first) + count(then)
    merger = Merger(udp=True)

    def work() -> None:
        for now, batches in rounds:
            for link, headers, payloads in batches:
                endpoint.receive(link, headers, payloads, now)
            merger.merge(finish_round(endpoint, now))
        endpoint.flush(end)
        merger.merge(finish_round(endpoint, end))
        assert sum(peer.receiver.delivered for peer in endpoint.peers.values()) == arrived

    return work


THERES: Final = [ipaddress.IPv4Network(f"10.99.{number // 250 + 1}.{number % 250 + 1}") for number in range(256)]
"""The peers' addresses."""


def settings(way: Way, destinations: list[ipaddress.IPv4Network], *, here: bool = False) -> list[PeerSettings]:
    """Give the peers' settings: of the sending side, or with `here` of the receiving one, whose peers are we."""
    links = tuple(LinkSettings(f"link{number}", 1500) for number in range(way.links))
    # The receiving side is as many hosts as there are peers; each is seen as a peer of its own with our address.
    return [
        PeerSettings(f"peer{number}", (HERE,) if here else (destinations[number],), links, "round-robin",
                     reorder_timeout=10.0 if way.depth else None)
        for number in range(way.peers)
    ]


def super_packets(way: Way) -> Iterator[tuple[int, bytes]]:
    """Give what the flows send, one after the other, each with the number of its peer."""
    for visit in range(PACKETS // VISIT):
        flow, peer = visit % way.flows, visit % way.peers
        yield peer, super_packet(SEGMENT, visit // max(way.flows, way.peers), segments=VISIT, port=5002 + flow,
                                 destination=THERES[peer])


def first_packets(way: Way, peer: int) -> list[bytes]:
    """Give turns of small packets to a peer: what happens once in a life is not to be measured.

    Each link has its turn, and the first ones another: the peers do not all go on with the same link.
    """
    return cut(super_packet(FIRST, 0, segments=first_turns(way, peer) * TURN, destination=THERES[peer]), FIRST)


def first_turns(way: Way, peer: int) -> int:
    """Give the turns of the links before those that are measured."""
    return way.links + peer % way.links


def pieces(whole: list[T], size: int) -> list[list[T]]:
    """Divide a list into pieces of one size; the last one may be smaller."""
    return [whole[at : at + size] for at in range(0, len(whole), size)]


Arrival = tuple[int, int, Frames]
"""The number of a peer, that of its link, and frames that follow each other."""
Read = list[Arrival]
"""What is read from an interface at once. All peers' links of one number are over the same interface."""


def count(some: list[Read]) -> int:
    """Count the frames."""
    return sum(len(frames.payloads) for _, _, frames in chain.from_iterable(some))


def reads(way: Way) -> tuple[list[Read], list[Read]]:
    """Give what is read from the interfaces: the very first frames of each link, and the others as they arrive."""
    chance = random.Random(SEED)
    peers = [Peer(one, NodeSettings(1), (HERE,), 0.0) for one in settings(way, THERES)]
    first = []
    for number, peer in enumerate(peers):
        peer.sender.send(first_packets(way, number), 0.0)
        first += [[(number, index, take_frames(link))] for index, link in enumerate(peer.links.values())]
    waiting: list[list[tuple[int, Frames]]] = [[] for _ in range(way.links)]
    queues = []
    for visit, (number, packet) in enumerate(super_packets(way)):
        peers[number].sender.send(cut(packet, SEGMENT), 0.0)
        for index, link in enumerate(peers[number].links.values()):
            frames = take_frames(link)
            kept = [at for at in range(len(frames.payloads)) if chance.random() >= way.loss]
            waiting[index] += [(number, frames.some([at])) for at in kept]
            if len(waiting[index]) >= READ:
                lag = way.depth * way.links // VISIT if index == 0 and way.links > 1 else 0
                queues.append((visit + lag, arrivals(index, waiting[index][:READ])))
                del waiting[index][:READ]
    end = PACKETS // VISIT
    queues += [(end, arrivals(index, some)) for index, some in enumerate(waiting) if some]
    return first, [read for _, read in sorted(queues, key=lambda one: one[0])]


def arrivals(link: int, read: list[tuple[int, Frames]]) -> Read:
    """Join the frames that follow each other and come from the same peer, as a port does."""
    found = []
    for peer, run in groupby(read, key=lambda one: one[0]):
        headers, payloads = zip(*(frames for _, frames in run), strict=True)
        found.append((peer, link, Frames(b"".join(headers), list(chain.from_iterable(payloads)))))
    return found


def combined(growths: list[Growth]) -> tuple[Growth, Growth]:
    """Give the base and the way on which all three grow."""
    found = {growth.axis: growth for growth in growths}
    return found["base"], found["all three"]

