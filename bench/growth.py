"""Growth, in the engine alone: what a packet costs with more links, flows and peers, larger buffers, and loss.

Every way is that of TCP: super-packets are cut, framed, received, ordered and merged again. The costs of the way out
and of the way in are added up and given relative to two links, one flow and one peer in the same repeats.
"""

from __future__ import annotations

import ipaddress
import random
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from alagg.engine.endpoint import Endpoint
from alagg.engine.merge import Merger
from alagg.engine.peer import LinkSettings, NodeSettings, Peer, PeerSettings
from alagg.engine.scheduler.round_robin import TURN
from alagg.engine.segment import cut
from bench.engine import HERE, PACE, SEGMENT, WINDOW, Case, Frames, finish_round, measure, super_packet, take_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACKETS: Final = 8192
"""Packets of one measurement."""
VISIT: Final = 8
"""Segments that a flow sends before it is the next one's turn."""
READ: Final = 64
"""Frames that are read from a link at once."""
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
    captured = [packet for _, packet in super_packets(way)]
    for number in range(way.peers):
        endpoint.send(first_packets(way, number), 0.0)
        finish_round(endpoint, 0.0)

    def work() -> None:
        now = 0.0
        for packet in captured:
            now += PACE * VISIT
            endpoint.send(cut(packet, SEGMENT), now)
            finish_round(endpoint, now)
        first = way.peers * way.links * TURN
        assert sum(peer.sender.sent for peer in endpoint.peers.values()) == PACKETS + first

    return work


def in_work(way: Way) -> Callable[[], object]:
    """From frames to super-packets."""
    node = NodeSettings(2, window=way.window)
    endpoint = Endpoint(node, settings(way, THERES, here=True), tuple(THERES[: way.peers]), 0.0)
    links = [list(peer.links.values()) for peer in endpoint.peers.values()]
    first, then = reads(way)
    for peer, link, frames in first:
        endpoint.receive(links[peer][link], *frames, 0.0)
        finish_round(endpoint, 0.0)
    batches = [(links[peer][link], frames) for peer, link, frames in then]
    merger = Merger(udp=True)

    def work() -> None:
        now = 0.0
        for link, frames in batches:
            now += PACE * len(frames.payloads)
            endpoint.receive(link, *frames, now)
            merger.merge(finish_round(endpoint, now))
        endpoint.flush(now)
        merger.merge(finish_round(endpoint, now))
        arrived = sum(len(frames.payloads) for _, _, frames in (*first, *then))
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
    """Give a turn of small packets for each link to a peer: what happens once in a life is not to be measured."""
    return cut(super_packet(FIRST, 0, segments=way.links * TURN, destination=THERES[peer]), FIRST)


Read = tuple[int, int, Frames]
"""The number of a peer, that of its link, and what is read from it at once."""


def reads(way: Way) -> tuple[list[Read], list[Read]]:
    """Give the frames as they are read from the links, all links in turns: the very first ones, and the others."""
    chance = random.Random(SEED)
    peers = [Peer(one, NodeSettings(1), (HERE,), 0.0) for one in settings(way, THERES)]
    first = []
    for number, peer in enumerate(peers):
        peer.sender.send(first_packets(way, number), 0.0)
        first += [(number, index, take_frames(link)) for index, link in enumerate(peer.links.values())]
    for number, packet in super_packets(way):
        peers[number].sender.send(cut(packet, SEGMENT), 0.0)
    queues = []
    for number, peer in enumerate(peers):
        for index, link in enumerate(peer.links.values()):
            frames = take_frames(link)
            kept = [number for number in range(len(frames.payloads)) if chance.random() >= way.loss]
            lag = way.depth // READ if index == 0 and way.links > 1 else 0
            starts = range(0, len(kept), READ)
            queues += [(at // READ + lag, number, index, frames.some(kept[at : at + READ])) for at in starts]
    return first, [(number, index, frames) for _, number, index, frames in sorted(queues, key=lambda one: one[0])]


def combined(growths: list[Growth]) -> tuple[Growth, Growth]:
    """Give the base and the way on which all three grow."""
    found = {growth.axis: growth for growth in growths}
    return found["base"], found["all three"]

