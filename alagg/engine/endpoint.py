"""Endpoint: the door of the engine. Packets, frames and the time go in; frames, packets and events come out.

An owner does, in a loop: `send` what was captured, `receive` what came on the links, `handle_timer` when
`deadline` is reached; then hands each link of `queued_links` to its port, tells `settle`, injects `take_packets`
and logs `take_events`.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from alagg.engine.addresses import PrefixTable, Routes, same_destination
from alagg.engine.header import SIZE
from alagg.engine.peer import NodeSettings, Peer, PeerSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.addresses import Network
    from alagg.engine.control import Report
    from alagg.engine.events import Event
    from alagg.engine.link import Link


PEERS_AT_ONCE: Final = 8
"""Peers whose timers one round serves at most, so that no round takes long."""

# The same again for C: other modules cannot see what the .pxd declares.
_PEERS_AT_ONCE: Final = PEERS_AT_ONCE


class Endpoint:
    """The engine of one worker: all its peers."""

    def __init__(
        self, settings: NodeSettings, peers: Sequence[PeerSettings], local: Sequence[Network], now: float
    ) -> None:
        """Set the engine up.

        Args:
            settings: what all peers share.
            peers: the peers with their links.
            local: networks of this host, the only destinations of received packets.
            now: the time in seconds, as in all verbs.
        """
        self.settings = settings
        self.peers: dict[str, Peer] = {}
        self.no_peer = 0
        """Captured packets that no peer's destinations match."""
        self._local = tuple(local)
        self._peer_of: dict[Link, Peer] = {}
        self._touched: dict[Peer, None] = {}
        """Peers with queued frames or packets: an idle peer costs nothing."""
        self._timers: list[tuple[float, int, Peer]] = []
        """A heap of when which peer is to be asked; entries that a sooner one has outdone are passed over."""
        self._pushed = 0
        self._left: list[bytes] = []
        """Packets that waited for others in peers that are gone."""
        self._routes: Routes[Peer] = Routes((), self._local)
        self.update(peers, now)

    def update(self, peers: Sequence[PeerSettings], now: float) -> None:
        """Take the peers anew; those that stay keep their numbers and what was learnt about them.

        Those whose settings are the very same objects cost next to nothing. Destinations belong to one peer each, so
        who has the same ones under another name is the same peer.
        """
        before, self.peers = self.peers, {}
        names = {settings.name for settings in peers}
        renamed = {tuple(peer.settings.destinations): name for name, peer in before.items() if name not in names}
        moved = False
        for settings in peers:
            peer = before.pop(settings.name, None)
            if peer is None and renamed:
                peer = before.pop(renamed.get(tuple(settings.destinations), ""), None)
            if peer is None:
                peer = Peer(settings, self.settings, self._local, now)
                moved = True
            elif peer.settings is settings:
                self.peers[settings.name] = peer
                continue
            else:
                moved = moved or peer.settings.destinations != settings.destinations
                self._forget_links(peer)
                peer.update(settings, now)
            self.peers[settings.name] = peer
            self._peer_of.update(dict.fromkeys(peer.links.values(), peer))
            self._touched[peer] = None
            self._schedule(peer)
        for peer in before.values():
            self._leave(peer, now)
        if moved or before:
            entries = ((network, peer) for peer in self.peers.values() for network in peer.settings.destinations)
            self._routes = Routes(entries, self._local)

    def _leave(self, peer: Peer, now: float) -> None:
        """Forget a peer; what it has received still goes to this host."""
        self._forget_links(peer)
        self._touched.pop(peer, None)
        peer.scheduled = float("-inf")  # no entry of the heap is like that
        peer.receiver.flush(now)
        self._left += peer.receiver.packets
        peer.drop()

    def _forget_links(self, peer: Peer) -> None:
        for link in peer.links.values():
            self._peer_of.pop(link, None)

    def set_local(self, local: Sequence[Network]) -> None:
        """Take the networks of this host anew: its addresses have changed."""
        self._local = tuple(local)
        self._routes.set_local(self._local)
        table = PrefixTable((network, True) for network in self._local)
        for peer in self.peers.values():
            peer.set_local(self._local, table)

    def send(self, packets: list[bytes], now: float) -> None:
        """Queue the frames for captured packets on the links of the peers that they go to."""
        if not packets:
            return
        first = packets[0]
        for packet in packets:
            if packet is not first and not same_destination(packet, first):
                break
        else:
            self._send(self._routes.find(first), packets, now)
            return
        groups: dict[Peer | None, list[bytes]] = {}
        group: list[bytes] = []
        previous = b""
        for packet in packets:
            if not same_destination(packet, previous):
                group = groups.setdefault(self._routes.find(packet), [])
            group.append(packet)
            previous = packet
        for peer, group in groups.items():
            self._send(peer, group, now)

    def _send(self, peer: Peer | None, packets: list[bytes], now: float) -> None:
        if peer is None:
            self.no_peer += len(packets)
            return
        sender = peer.sender
        sender.send(packets, now)
        self._touched[peer] = None
        peer.wake(now)
        self._schedule(peer)

    def receive(self, link: Link, headers: bytes, payloads: list[bytes | None], now: float) -> None:
        """Take frames that came on a link: their headers in one piece, and the payload of each.

        A payload may have the link's padding behind it; None stands for a frame too short for a header.

        Raises:
            ValueError: there are fewer headers than payloads. The compiled form would read behind their end: this is
                the one place that keeps it from it.
        """
        if len(headers) < SIZE * len(payloads):
            raise ValueError(f"{len(headers)} bytes of headers for {len(payloads)} frames")
        peer = self._peer_of[link]
        receiver = peer.receiver
        receiver.receive(link, headers, payloads, now)
        self._touched[peer] = None
        if receiver.controls:
            peer.hear(now)
        peer.wake(now)
        due = receiver.deadline()
        peer.due = min(peer.due, due)
        self._schedule(peer)

    def link_changed(self, link: Link, *, is_open: bool, mtu: int, reason: str, now: float) -> None:
        """Take what a port says of its link: whether it can send, its MTU, and in words why it cannot."""
        peer = self._peer_of[link]
        peer.link_changed(link, is_open=is_open, mtu=mtu, reason=reason, now=now)
        self._schedule(peer)

    def doubt(self, link: Link, now: float) -> None:
        """Find out soon whether the peer still answers on a link."""
        peer = self._peer_of[link]
        peer.doubt(link, now)
        self._schedule(peer)

    def doubt_size(self, link: Link, now: float) -> None:
        """Find out soon how large a frame arrives on a link."""
        peer = self._peer_of[link]
        peer.doubt_size(link, now)
        self._schedule(peer)

    def moved(self, link: Link, now: float) -> None:
        """Take that a link leads to another address of its peer."""
        peer = self._peer_of[link]
        peer.moved(link, now)
        self._schedule(peer)

    def set_held(self, held: Sequence[tuple[str, str, str, str]], now: float) -> None:
        """Take which links are held back: peer, link, state and the reason in words; all others are free."""
        holds: dict[str, dict[str, dict[str, str]]] = {}
        for name, link, state, reason in held:
            holds.setdefault(name, {}).setdefault(link, {})[state] = reason
        for name, peer in self.peers.items():
            if peer.set_held(holds.get(name, {}), now):
                self._touched[peer] = None
                self._schedule(peer)

    def follow(self, peer: str, link: str, state: str, path_mtu: int) -> None:
        """Take what the worker that watches the links has found out; of links that are gone, nothing."""
        known = self.peers.get(peer)
        if known is not None and link in known.links:
            known.follow(known.links[link], state, path_mtu)

    def take_report(self, peer: str, report: Report, now: float) -> None:
        """Take what a peer has told another worker about this one's frames; of a peer that is gone, nothing."""
        known = self.peers.get(peer)
        if known is not None and report.lane == self.settings.lane:
            known.dialogue.take(report, now)

    def touch(self, peer: Peer) -> None:
        """Hand over in this round what was queued on a peer's links."""
        self._touched[peer] = None

    @property
    def room(self) -> int:
        """Bytes of the largest packet that goes to every peer in one piece; 0 while no link is open."""
        return self._least_room()

    def _least_room(self) -> int:
        least = 0
        for peer in self.peers.values():
            sender = peer.sender
            if sender.room > 0 and (not least or sender.room < least):
                least = sender.room
        return least

    def deadline(self) -> float:
        """Give the time at which `handle_timer` has something to do."""
        return self._timers[0][0] if self._timers else float("inf")

    def handle_timer(self, now: float) -> None:
        """Do what is due, of so many peers; the deadline stays in the past while there are more."""
        for _ in range(_PEERS_AT_ONCE):
            if not self._timers or self._timers[0][0] > now:
                return
            due, _, peer = heappop(self._timers)
            if due != peer.scheduled:
                continue
            peer.scheduled = float("inf")
            if peer.due <= now:
                peer.handle_timer(now)
                self._touched[peer] = None
            self._schedule(peer)

    def _schedule(self, peer: Peer) -> None:
        """See to it that a peer is asked when it is due."""
        if peer.due < peer.scheduled:
            peer.scheduled = peer.due
            self._pushed += 1
            heappush(self._timers, (peer.due, self._pushed, peer))

    def flush(self, now: float) -> None:
        """Release all packets that wait for earlier ones: the node ends."""
        for peer in self.peers.values():
            peer.receiver.flush(now)
            self._touched[peer] = None

    def is_quiet(self) -> bool:
        """Tell whether there is nothing to hand over: no frames, no packets, no events."""
        return not self._touched and not self._left

    def queued_links(self) -> list[Link]:
        """Give the links on which frames wait for their ports."""
        links = []
        for peer in self._touched:
            sender = peer.sender
            for link in sender.links:
                if link.payloads:
                    links.append(link)  # noqa: PERF401 - no typed loop in C otherwise
        return links

    def settle(self) -> None:
        """Count what became of the packets, after each queued link was settled."""
        for peer in self._touched:
            sender = peer.sender
            sender.settle()
            if sender.due < peer.due:
                peer.due = sender.due
                self._schedule(peer)

    def take_packets(self) -> list[bytes]:
        """Give the packets that are to be injected now, in order."""
        packets, self._left = self._left, []
        for peer in self._touched:
            receiver = peer.receiver
            if receiver.packets:
                packets += receiver.packets
                receiver.packets = []
        return packets

    def take_events(self) -> list[Event]:
        """Give what happened since the last call, and end the round: what was touched is quiet now."""
        events: list[Event] = []
        for peer in self._touched:
            receiver = peer.receiver
            if peer.events or receiver.reset_lanes:
                events += peer.take_events()
        self._touched.clear()
        return events
