"""Held: what all peers' buffers hold together stays within its bound, and those who hold little are spared."""

from __future__ import annotations

from typing import Final

from alagg.engine.endpoint import Endpoint
from alagg.engine.fragment import Piece, Rejoiner
from alagg.engine.header import SIZE
from alagg.engine.held import LITTLE, OVERHEAD, Held
from alagg.engine.peer import LinkSettings, NodeSettings, PeerSettings
from alagg.engine.reorder import Item, Reorder
from tests.engine.helpers import batch, frame, ipv4, networks

TWO_LINKS: Final = (LinkSettings("one", SIZE + 1500), LinkSettings("two", SIZE + 1500))


def test_buffers_that_hold_much_give_way_first() -> None:
    store = Held(1 << 20)
    hog, modest = Reorder(0.1, store), Reorder(0.1, store)
    out: list[Item] = []
    for buffer in (hog, modest):
        buffer.push(0, b"", 0.0, out)
    for number in range(2, 1000):
        hog.push(number, bytes(1000), 0.0, out)
    assert 2 * store.bytes <= store.limit + 4 * OVERHEAD
    assert hog.crowded > 0
    modest.push(2, bytes(1000), 0.0, out)
    assert (modest.held, modest.crowded) == (1, 0)


def test_nobody_holds_anything_above_the_bound() -> None:
    store = Held(8 * (1000 + OVERHEAD))
    buffers = [Reorder(0.1, store) for _ in range(20)]
    out: list[Item] = []
    for buffer in buffers:
        buffer.push(0, b"", 0.0, out)
        buffer.push(2, bytes(1000), 0.0, out)
        assert store.bytes <= store.limit
    assert sum(buffer.held for buffer in buffers) == 8
    assert sum(buffer.crowded for buffer in buffers) == 12
    assert len(out) == 20 + 12
    for buffer in buffers:
        buffer.flush(out)
    assert store.bytes == 0


def test_pieces_count() -> None:
    store = Held(4 * LITTLE)
    rejoiner = Rejoiner(store)
    for number in range(20):
        rejoiner.join(Piece(1, 2 * number, 0, 1, bytes(30_000)), 0.0)
        assert store.bytes <= store.limit
    assert rejoiner.incomplete == 20 - rejoiner.waiting > 0
    rejoiner.drop()
    assert (store.bytes, rejoiner.waiting) == (0, 0)


def test_many_peers_that_send_with_gaps_take_no_more_than_the_bound() -> None:
    """A thousand of them, each on its own within its bound; what had to go early is delivered, and counted."""
    held = Held(1 << 20)
    peers = [
        PeerSettings(f"p{number}", networks(f"10.1.{number // 250}.{number % 250}"), TWO_LINKS)
        for number in range(1000)
    ]
    endpoint = Endpoint(NodeSettings(1, held=held), peers, networks("10.0.0.1"), 0.0)
    delivered = 0
    for number, peer in enumerate(endpoint.peers.values()):
        packet = ipv4(bytes(1000), f"10.1.{number // 250}.{number % 250}", "10.0.0.1")
        link, _ = peer.links.values()
        endpoint.receive(link, *batch([frame(sequence, packet, epoch=5) for sequence in (0, 2, 4)]), 0.0)
        delivered += len(endpoint.take_packets())
        endpoint.take_events()
        assert held.bytes <= held.limit
    receivers = [peer.receiver for peer in endpoint.peers.values()]
    orders = [stream.reorder for one in receivers for stream in one.lanes[0].recovery.streams()]
    waiting = sum(order.held for order in orders)
    assert (delivered + waiting, sum(order.crowded for order in orders) > 0) == (3000, True)
    endpoint.update([], 0.0)
    assert held.bytes == 0
