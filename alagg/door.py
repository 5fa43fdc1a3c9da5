"""Door: judges frames from addresses that no link leads to, and lets links follow their peers.

Whoever can send datagrams can send such a frame. It is never looked at further than to find out which link it may be
of: by the session and link number of a peer that is known, or by the networks that it says it owns. While the link's
own address answers, nothing else happens. When it does not, or there is none yet, the new address is asked by a probe
with a random cookie, and the link moves there when the answer comes from there (RFC 9000, section 9).
"""

from __future__ import annotations

import ipaddress
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from google_crc32c import value as crc32c

from alagg.engine import control, header
from alagg.engine.control import OWNS, ControlError, Hello
from alagg.engine.sequence import MASK
from alagg.ports.ethernet import BROADCAST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link
    from alagg.engine.peer import Peer
    from alagg.ports.base import Arrival
    from alagg.values import Address, Network
    from alagg.whereabouts import Way, Whereabouts
    from alagg.worker import PortSlot, Worker

PAUSE: Final = 0.05
"""Seconds between two probes to an address that wants to be a link's."""
PATIENCE: Final = 2.0
"""Seconds within which it must answer, and after which it is forgotten."""
SETTLING: Final = 1.0
"""Seconds for which an address that was just taken is not exchanged again."""
CANDIDATES: Final = 256
"""Addresses that may be asked at the same time; the oldest makes room."""

REASONS: Final = ("malformed", "unknown", "elsewhere", "unproven")
"""What becomes of a frame from an address that no link leads to: it is damaged, or none at all; it is of no peer that
is known; it is of a link whose own address answers; or its address is being asked."""


class Candidate:
    """An address that a link's peer may have moved to."""

    def __init__(self, way: Way, remote: bytes, index: int, now: float) -> None:
        """Take the link's way, the address, and the index of the interface by which the frame came."""
        self.way = way
        self.remote = remote
        self.index = index
        self.cookie = secrets.token_bytes(header.COOKIE_SIZE)
        self.heard = now
        self.asked = float("-inf")


class Door:
    """Judges strangers for all ports of a worker."""

    def __init__(self, whereabouts: Whereabouts, worker: Worker) -> None:
        """Know nobody yet."""
        self.counts = dict.fromkeys(REASONS, 0)
        """Frames by what became of them."""
        self._whereabouts = whereabouts
        self._worker = worker
        self._sessions: dict[tuple[int, int], Link] = {}
        """The links that wait for their peers, by the peer's epoch and number for them."""
        self._owners: dict[Network, str] | None = None
        self._candidates: dict[bytes, Candidate] = {}

    def forget(self) -> None:
        """Forget what follows from the configuration: it has changed."""
        self._sessions = {
            session: link for session, link in self._sessions.items() if link in self._whereabouts.ways
        }
        self._owners = None
        self._candidates.clear()

    def learn(self) -> None:
        """See in which session the peers are."""
        for link, way in self._whereabouts.ways.items():
            if way.waits and (session := self._peer(way).dialogue.session(link)) is not None:
                way.session = session
        self._sessions = {way.session: link for link, way in self._whereabouts.ways.items() if way.session}

    def strange(self, slot: PortSlot, arrival: Arrival, index: int, now: float) -> None:
        """Take frames from an address that no link of a port leads to; `index` is the interface's."""
        remote, headers, payloads = arrival
        for at, payload in enumerate(payloads):
            self.counts[self._judge(slot, remote, headers, at, payload, index, now)] += 1
            if remote in slot.links:
                return  # the rest of the batch comes again, or was a copy

    def search(self, way: Way) -> None:
        """Tell all stations on a segment that a link's peer is looked for; the peer asks us then, and we ask it."""
        if self._worker.endpoint.settings.watches:
            with suppress(OSError):
                self._send(way, BROADCAST, header.CONTROL, self._peer(way).dialogue.introduction(way.link))

    def look(self, now: float) -> None:
        """Ask again, and forget who has not answered."""
        for remote, candidate in list(self._candidates.items()):
            if now - candidate.heard > PATIENCE:
                del self._candidates[remote]
            else:
                self._ask(candidate, now)

    def _judge(
        self, slot: PortSlot, remote: bytes, headers: bytes, at: int, payload: bytes | None, index: int, now: float
    ) -> str:
        """Say what becomes of one frame."""
        if payload is None:
            return "malformed"
        try:
            values = header.parse(headers, at * header.SIZE, payload)
        except header.MalformedFrameError:
            return "malformed"
        frame_type, epoch, link_id, length = values[0], values[1], values[4], values[8]
        candidate = self._candidates.get(remote)
        if candidate is not None and frame_type == header.PROBE_REPLY and payload[:length] == candidate.cookie:
            self._accept(candidate, epoch, link_id, now)
            return "unproven"
        if candidate is not None and frame_type == header.PROBE:
            self._answer(candidate, slot, payload[:length])
        link = self._sessions.get((epoch, link_id))
        if link is None and frame_type == header.CONTROL:
            link = self._introduced(slot, link_id, payload[:length])
        way = None if link is None else self._whereabouts.ways.get(link)
        if way is None or not way.waits or self._worker.slots.get(way.place) is not slot:
            return "unknown"
        return self._consider(way, remote, index, now)

    def _consider(self, way: Way, remote: bytes, index: int, now: float) -> str:
        """See whether a link may move to another address: not while its own one answers."""
        candidate = self._candidates.get(remote)
        if candidate is None or candidate.way is not way:
            if len(self._candidates) >= CANDIDATES:
                del self._candidates[next(iter(self._candidates))]
            candidate = self._candidates[remote] = Candidate(way, remote, index, now)
        candidate.heard = now
        if self._is_settled(way, now):
            self._worker.endpoint.doubt(way.link, now)
            return "elsewhere"
        self._ask(candidate, now)
        return "unproven"

    def _is_settled(self, way: Way, now: float) -> bool:
        """Say whether a link's own address answers, or has not had the time to."""
        return bool(way.remote) and (way.link.answering or now - way.since < SETTLING)

    def _ask(self, candidate: Candidate, now: float) -> None:
        """Send a probe to an address, unless one has just left or the link's own address answers."""
        if now - candidate.asked < PAUSE or self._is_settled(candidate.way, now):
            return
        candidate.asked = now
        try:
            self._send(candidate.way, candidate.remote, header.PROBE, candidate.cookie, candidate.index)
        except OSError:
            del self._candidates[candidate.remote]

    def _answer(self, candidate: Candidate, slot: PortSlot, cookie: bytes) -> None:
        """Answer who asks for us on a segment while we ask for it: else both would wait for the other one."""
        way = candidate.way
        if not way.is_udp and way.place == slot.where and len(cookie) >= header.COOKIE_SIZE:
            with suppress(OSError):
                self._send(way, candidate.remote, header.PROBE_REPLY, cookie[: header.COOKIE_SIZE])

    def _send(self, way: Way, remote: bytes, frame_type: int, payload: bytes, index: int = 0) -> None:
        """Send a frame of a link to an address that it does not lead to."""
        link, node = way.link, self._worker.endpoint.settings
        head = header.encode(
            frame_type, node.epoch, node.lane, 0, link.id, link.link_sequence, 0, 0, len(payload), crc32c(payload)
        )
        link.link_sequence = (link.link_sequence + 1) & MASK
        self._whereabouts.send(way, remote, head + payload, index)

    def _accept(self, candidate: Candidate, epoch: int, link_id: int, now: float) -> None:
        """Let a link move to an address that has answered."""
        way = candidate.way
        del self._candidates[candidate.remote]
        if self._is_settled(way, now):
            return
        way.session = epoch, link_id
        self._sessions[way.session] = way.link
        self._whereabouts.move(way, candidate.remote, now, candidate.index)

    def _introduced(self, slot: PortSlot, link_id: int, payload: bytes) -> Link | None:
        """Find the link of a peer that introduces itself: it owns what the peer's destinations say."""
        try:
            items = control.decode(payload)
        except ControlError:
            return None
        hello = next((item for item in items if isinstance(item, Hello)), None)
        owned = next((item[1] for item in items if isinstance(item, tuple) and item[0] == OWNS), None)
        if hello is None or owned is None:
            return None
        names = {name for network in owned if (name := self._owner(network))}
        ways = [
            way for link in slot.links.values()
            if (way := self._whereabouts.ways.get(link)) and way.waits and way.peer in names
        ]  # fmt: skip
        return _fitting(ways, hello.far_link, link_id, self._worker) if len({way.peer for way in ways}) == 1 else None

    def owner(self, address: Address) -> str | None:
        """Give the peer whose destinations an address lies in."""
        return self._owner(ipaddress.ip_network(address))

    def _owner(self, network: Network) -> str | None:
        """Give the peer whose destinations a network lies in."""
        if self._owners is None:
            self._owners = {one: peer.name for peer in self._worker.config.peers for one in peer.destinations}
        for length in range(network.prefixlen, -1, -1):
            found = self._owners.get(_widened(network, length))
            if found is not None:
                return found
        return None

    def _peer(self, way: Way) -> Peer:
        return self._worker.endpoint.peers[way.peer]


def _widened(network: Network, length: int) -> Network:
    return network if length == network.prefixlen else network.supernet(new_prefix=length)


def _fitting(ways: Sequence[Way], far_link: int, link_id: int, worker: Worker) -> Link | None:
    """Choose among the links of a peer that wait: the one that it means, that had its number, that has no address."""
    for way in ways:
        if way.link.id == far_link:
            return way.link
    for way in ways:
        if worker.endpoint.peers[way.peer].dialogue.far.links.get(way.link.name) == link_id:
            return way.link
    free = [way for way in ways if not way.remote] or [way for way in ways if not way.link.answering]
    return free[0].link if free else None
