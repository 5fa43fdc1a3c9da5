"""Whereabouts: where the links of a worker lead whose peer's address is not simply given.

A link with a `remote` is sent to one of the addresses that it stands for; when the peer does not answer there, to the
next, and the name is looked up again. A link without one waits: `alagg.door` finds out where its peer is. So does an
Ethernet link with `mac = auto`, which also says by broadcast that it is there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.door import Door
from alagg.engine.events import NameWanted, PeerMoved
from alagg.engine.header import SIZE
from alagg.ports import sockaddr
from alagg.ports.base import bare
from alagg.ports.ethernet import BROADCAST
from alagg.ports.udpport import Place, UdpPort, largest, overhead

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.config import LinkConfig
    from alagg.engine.link import Link
    from alagg.messages import HostFacts, Names
    from alagg.worker import PortSlot, Worker

TRY: Final = 5.0
"""Seconds for which an address is tried before the next one is, and the name is looked up again."""
AGAIN: Final = 0.1
"""Seconds after which a way that the kernel refused is tried again."""
LOOK: Final = 1.0
"""Seconds between two looks at all links."""
ROOMS: Final = 4
"""Links whose way's MTU is asked for at once."""
LOOP: Final = "its address lies in destinations, and no other interface than the node's own device leads there"
"""Why a link is down whose frames would come back to the node."""
SEARCHING: Final = "it looks for the peer's MAC address"
"""Why a link with `mac = auto` is down that has found nobody yet."""
WAITING: Final = "it waits for the peer's first frame"
"""Why a link that has no remote address yet is down."""


class Way:
    """Where one link leads."""

    def __init__(self, link: Link, config: LinkConfig, now: float) -> None:
        """Know nothing but its configuration."""
        self.link = link
        self.config = config
        self.place = where_of(config)
        self.remote = b""
        """The address that frames go to; empty while there is none."""
        self.since = now
        """When it was chosen."""
        self.obstacle = ""
        """Why nothing can be sent there, in words."""
        self.retry_at = now
        self.room = 0
        """Bytes of the largest frame, as the host's routes say; 0 while that is unknown."""
        self.tried = 0
        self.session: tuple[int, int] | None = None
        """The epoch of a peer that came here, and its number for the link."""

    @property
    def peer(self) -> str:
        """The name of the peer that it leads to."""
        return self.config.peer

    @property
    def waits(self) -> bool:
        """Whether the peer comes first."""
        return self.config.remote is None

    @property
    def is_udp(self) -> bool:
        """Whether it leads to a UDP address, and not to a MAC address."""
        return isinstance(self.place, Place)

    @property
    def key(self) -> bytes:
        """The address; while there is none, something that no frame comes from."""
        return self.remote or b"?" + self.link.name.encode()

    @property
    def reason(self) -> str:
        """Why the link is down although its port is open; empty when it is not."""
        if self.remote:
            return self.obstacle
        if self.waits:
            return WAITING if self.is_udp else SEARCHING
        return self.obstacle or f"{self.config.remote} is being looked up"


class Whereabouts:
    """The ways of all links whose peer's address may change."""

    def __init__(self, worker: Worker) -> None:
        """Serve a worker."""
        self.ways: dict[Link, Way] = {}
        self.door = Door(self, worker)
        self._worker = worker
        self._names: Names | None = None
        self._host_ways: dict[str, int] = {}
        self._next_look = float("-inf")
        self._asked: dict[str, float] = {}
        """When each name was asked for."""
        self._rooms: Iterator[Way] = iter(())

    def update(self, now: float) -> None:
        """Match the ways with the configured links; those that stay keep their addresses."""
        old, self.ways = self.ways, {}
        for peer in self._worker.config.peers:
            for config in peer.links:
                if config.type == "udp" or config.finds:
                    link = self._worker.endpoint.peers[peer.name].links[config.name]
                    self.ways[link] = _kept(old.get(link), config) or Way(link, config, now)
        self.door.forget()

    def addresses(self, way: Way, family: int) -> list[bytes]:
        """Give the addresses that a link's remote stands for."""
        remote = way.config.remote
        if remote is None:
            return []
        if remote.ip is not None:
            return _packed([str(remote.ip)], remote.port, family)
        found = self._names.found.get(remote.host, ()) if self._names else ()
        return _packed(found, remote.port, family)

    def address(self, link: Link) -> bytes:
        """Give where a link's frames go now; nothing for no address, or where it is simply given."""
        way = self.ways.get(link)
        return b"" if way is None else way.remote

    def take(self, names: Names, now: float) -> None:
        """Take what names stand for."""
        self._names = names
        for way in self.ways.values():
            if way.config.remote is not None and way.config.remote.ip is None:
                self.open(way, now)

    def take_facts(self, facts: HostFacts, now: float) -> None:
        """Take by which interfaces addresses are reached that lie in destinations."""
        ways = dict(facts.ways)
        if ways != self._host_ways:
            self._host_ways = ways
            self.opened(now)

    def opened(self, now: float, slot: PortSlot | None = None) -> None:
        """Find the addresses of the links over a port that has been opened, or over all that are open."""
        for way in list(self.ways.values()):
            if slot is None or slot.where == way.place:
                self.open(way, now)

    def open(self, way: Way, now: float) -> None:
        """Give a link an address, if it has none that will do."""
        port = self.port(way)
        if way.waits or port is None:
            return
        found = self.addresses(way, port.family)
        if way.remote and way.remote in found:
            port.set_way(way.remote, self._index(way.remote))
            self._try_again(way, now)
            return
        if not found:
            way.obstacle = self._problem(way)
            self._tell(way, now)
            return
        way.tried %= len(found)
        self.move(way, found[way.tried], now, self._index(found[way.tried]))

    def move(self, way: Way, remote: bytes, now: float, index: int = 0) -> None:
        """Send a link's frames to another address from now on.

        Args:
            way: the link's.
            remote: the address.
            now: the time in seconds.
            index: of the interface by which it is reached; 0 for what the routes say.
        """
        port = self.port(way)
        if port is not None:
            port.set_way(way.remote, 0)
            port.set_way(remote, index)
        way.remote, way.since, way.obstacle = remote, now, ""
        self._ask_room(way, port)
        self._lead(way, now)

    def refused(self, link: Link, error: OSError, now: float) -> None:
        """Take that the kernel has no way to a link's address now; others of the port may have one."""
        way = self.ways[link]
        port = self.port(way)
        if way.waits and port is not None:
            port.set_way(way.remote, 0)  # the interface by which the peer came may be gone; the routes know another
        way.obstacle, way.retry_at = error.strerror or str(error), now + AGAIN
        self._tell(way, now)

    def mtu(self, link: Link, largest_mtu: int) -> int:
        """Give the bytes of the largest frame that a link takes, where its interface has an MTU, or 0 for none."""
        way = self.ways[link]
        if not way.remote:
            return link.mtu
        if not largest_mtu or not way.is_udp:
            return largest_mtu or way.room or link.mtu
        room = largest(largest_mtu, sockaddr.unpack(way.remote)[0].version)
        return min(room, way.room) if way.room else room

    def look(self, now: float) -> None:
        """See what is due: ways that were refused, addresses that do not answer, peers that have moved."""
        self.door.look(now)
        for way in [way for way in self.ways.values() if way.obstacle and way.remote and now >= way.retry_at]:
            self._try_again(way, now)
        self._ask_rooms(now)
        self._take_hints(now)
        if now < self._next_look:
            return
        self._next_look = now + LOOK
        self.door.learn()
        for way in list(self.ways.values()):
            if not way.waits and not self._works(way, now):
                self._try_next(way, now)
            elif not way.is_udp and not way.link.answering:
                self.door.search(way)

    def remotes(self, slot: PortSlot) -> tuple[bytes, ...]:
        """Give the addresses that a port takes frames from, as of every port."""
        anybody = not slot.is_udp and any(link in self.ways for link in slot.links.values())
        return (*slot.links, BROADCAST) if anybody else tuple(slot.links)

    def follow(self, peer: str, name: str, remote: bytes, now: float) -> None:
        """Take where another worker has found a peer."""
        way = next((way for link, way in self.ways.items() if (way.peer, link.name) == (peer, name)), None)
        if way is not None and not way.is_udp and way.remote != remote:
            self.move(way, remote, now)

    def send(self, way: Way, remote: bytes, frame: bytes, index: int = 0) -> None:
        """Send one frame to an address that a link does not lead to yet, by the interface of an index.

        Raises:
            OSError: there is no way to it now.
        """
        slot, port = self._worker.slots.get(way.place), self.port(way)
        if port is not None:
            port.set_way(remote, index)
        if slot is not None and slot.port is not None:
            slot.port.send(remote, bytearray(frame[:SIZE]), [frame[SIZE:]])

    def port(self, way: Way) -> UdpPort | None:
        """Give the open UDP port of a link; None while there is none."""
        slot = self._worker.slots.get(way.place)
        port = None if slot is None or slot.port is None else bare(slot.port)
        return port if isinstance(port, UdpPort) else None

    def _tell(self, way: Way, now: float) -> None:
        """Tell the engine what became of a link's way."""
        worker, link, reason = self._worker, way.link, way.reason
        slot = worker.remotes[link][0]
        if slot.port is None:
            return
        facts = worker.facts_of(slot)
        mtu = self.mtu(link, facts.mtu if facts is not None else 0)
        worker.endpoint.link_changed(link, is_open=not reason, mtu=mtu, reason=reason, now=now)
        worker.size_captures()

    def _lead(self, way: Way, now: float) -> None:
        """Have a link's frames go to its new address, and taken from there."""
        worker, link = self._worker, way.link
        slot, before = worker.remotes[link]
        if slot.links.get(before) is link:
            del slot.links[before]
        slot.links[way.key] = link
        worker.remotes[link] = slot, way.key
        if not way.is_udp:
            if slot.port is not None:
                slot.port.set_remotes(self.remotes(slot))
            if worker.endpoint.settings.watches:
                worker.crew.tell(PeerMoved(way.peer, link.name, way.remote.hex(":")))
        worker.endpoint.moved(link, now)
        self._tell(way, now)

    def _works(self, way: Way, now: float) -> bool:
        return way.link.answering or now - max(way.since, way.link.rx_last) < TRY

    def _try_next(self, way: Way, now: float) -> None:
        """Look the name up again, and go on to the next address."""
        remote, port = way.config.remote, self.port(way)
        if remote is None or port is None:
            return
        if remote.ip is None and now - self._asked.get(remote.host, float("-inf")) >= TRY:
            self._asked[remote.host] = now
            self._worker.on_event(NameWanted(remote.host), self._worker.endpoint.settings.lane)
        found = self.addresses(way, port.family)
        if len(found) > 1:
            way.tried = (way.tried + 1) % len(found)
            self.move(way, found[way.tried], now, self._index(found[way.tried]))

    def _try_again(self, way: Way, now: float) -> None:
        port = self.port(way)
        way.retry_at = now + AGAIN
        if port is None:
            return
        way.obstacle = ""
        self._ask_room(way, port)
        self._tell(way, now)

    def _ask_room(self, way: Way, port: UdpPort | None) -> None:
        if port is None or not way.remote:
            return
        if self._would_loop(way, port):
            way.obstacle, way.retry_at = LOOP, float("inf")
            return
        try:
            way.room = port.room(way.remote)
        except OSError as error:
            way.obstacle = error.strerror or str(error)

    def _would_loop(self, way: Way, port: UdpPort) -> bool:
        """Say whether frames to a link's address would come back to the node, as packets for the peer."""
        if way.config.interface or port.way(way.remote) or not self._worker.config.manage_host:
            return False
        address, _ = sockaddr.unpack(way.remote)
        return self.door.owner(address) is not None

    def _index(self, remote: bytes) -> int:
        """Give the interface by which an address is reached although it lies in destinations; else 0."""
        return self._host_ways.get(str(sockaddr.unpack(remote)[0]), 0) if self._host_ways else 0

    def _ask_rooms(self, now: float) -> None:
        """Ask for the MTU of some ways: routes may have changed."""
        for _ in range(ROOMS):
            way = next(self._rooms, None)
            if way is None:
                self._rooms = iter(list(self.ways.values()))
                return
            before = way.room, way.obstacle
            port = self.port(way)
            if self.ways.get(way.link) is way and not way.obstacle:
                self._ask_room(way, port)
                if before != (way.room, way.obstacle):
                    self._tell(way, now)

    def _take_hints(self, now: float) -> None:
        """Look into what ICMP errors say of the links' ways: anybody may have sent them."""
        for slot in self._worker.slots.values():
            port = bare(slot.port) if slot.port is not None else None
            while isinstance(port, UdpPort) and port.hints:
                hint = port.hints.popleft()
                link = slot.links.get(hint.remote)
                if link is None:
                    continue
                if not hint.mtu:
                    self._worker.endpoint.doubt(link, now)
                elif hint.mtu - overhead(sockaddr.unpack(hint.remote)[0].version) < link.room:
                    self._worker.endpoint.doubt_size(link, now)

    def _problem(self, way: Way) -> str:
        host = way.config.remote.host if way.config.remote else ""
        if self._names is None or host not in self._names.problems:
            return ""
        return f"{host} cannot be looked up: {self._names.problems[host]}"


def where_of(config: LinkConfig) -> str | Place:
    """Give where a link has its own end: an interface, or the place of UDP links."""
    return place_of(config) if config.type == "udp" else config.interface


def place_of(config: LinkConfig) -> Place:
    """Give where a UDP link has its own end."""
    if config.local is None:
        ip = config.remote.ip if config.remote else None
        return Place(config.interface, "0.0.0.0" if ip is not None and ip.version == 4 else "::", 0, config.name)  # noqa: S104
    return Place(config.interface, config.local.host, config.local.port)


def _kept(way: Way | None, config: LinkConfig) -> Way | None:
    """Give a way that goes on under a new configuration."""
    if way is None or (config.remote, where_of(config)) != (way.config.remote, way.place):
        return None
    way.config = config
    return way


def _packed(hosts: list[str] | tuple[str, ...], port: int, family: int) -> list[bytes]:
    """Write the addresses that a socket of a family reaches."""
    found = []
    for host in hosts:
        try:
            found.append(sockaddr.pack(sockaddr.ip(host), port, family=family))
        except (ValueError, OSError):
            continue
    return found
