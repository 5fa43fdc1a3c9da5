"""A network in virtual time: hosts with real engines, links with seeded faults, and a clock that jumps.

    network = Network(seed=1)
    one, two = network.host(), network.host()
    fibre = network.connect(one, two, "fibre", Settings(delay=0.002))
    radio = network.connect(one, two, "radio", Settings(delay=0.02, loss=0.2))
    pings = network.stream(one, two, count=400, interval=0.01)
    network.at(2.0, fibre.cut)
    network.run(5.0)
    assert pings.report().lost == 0

Nothing sleeps: time jumps to the next thing that happens, and the same seed gives the same run. Faults are those
of the lab's emulator (`alagg.lab.impairment`), so that a scenario means the same here and on real interfaces.
"""

from __future__ import annotations

import heapq
import ipaddress
import itertools
import random
from dataclasses import replace
from typing import TYPE_CHECKING

from alagg.engine.endpoint import Endpoint
from alagg.engine.peer import LinkSettings, NodeSettings, PeerSettings
from alagg.lab.impairment import DelayLine, Impairment, Settings
from tests.engine.helpers import batch, queued_frames
from tests.sim.stream import Stream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from alagg.engine.events import Event
    from alagg.engine.link import Link

NEVER = float("inf")


class Network:
    """Hosts, the links between them, and the time."""

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.hosts: list[Host] = []
        self.cables: list[Cable] = []
        self._actions: list[tuple[float, int, Callable[[], object]]] = []
        self._count = itertools.count()

    def host(self, **options: float | str | None) -> Host:
        """Add a host; `options` are fields of `PeerSettings` for all its peers."""
        host = Host(self, len(self.hosts) + 1, **options)
        self.hosts.append(host)
        return host

    def connect(
        self, one: Host, two: Host, name: str, there: Settings | None = None, back: Settings | None = None,
        mtu: int = 1500,
    ) -> Cable:  # fmt: skip
        """Add a link between two hosts; `back` is as `there` unless it is given."""
        there = there or Settings()
        cable = Cable(self, name, {two: Wire(self.random, there), one: Wire(self.random, back or there)}, mtu)
        self.cables.append(cable)
        for host, peer in ((one, two), (two, one)):
            host.attach(peer, cable)
        return cable

    def at(self, time: float, action: Callable[[], object]) -> None:
        """Do something at a time, in the order in which it was asked for."""
        heapq.heappush(self._actions, (time, next(self._count), action))

    def stream(
        self, origin: Host, target: Host, *, count: int, interval: float, size: int = 64, family: int = 4,
        batch: int = 1, start: float | None = None,
    ) -> Stream:  # fmt: skip
        """Send numbered packets from now on, `batch` of them each `interval`; `size` is that of the payload."""
        stream = Stream(origin.addresses[family], target.addresses[family], size, target.arrived)
        start = self.now if start is None else start
        for first in range(0, count, batch):
            numbers = range(first, min(first + batch, count))
            time = start + first / batch * interval
            self.at(time, lambda numbers=numbers, time=time: origin.send(stream.packets(numbers, time)))  # type: ignore[misc]
        return stream

    def run(self, until: float) -> None:
        """Let time pass until then."""
        while (time := min(self._times())) <= until:
            self.now = max(self.now, time)
            self._step()
        self.now = until

    def _times(self) -> Iterator[float]:
        yield self._actions[0][0] if self._actions else NEVER
        for cable in self.cables:
            yield from (wire.next_at for wire in cable.wires.values())
        yield from (host.deadline() for host in self.hosts)

    def _step(self) -> None:
        now = self.now
        while self._actions and self._actions[0][0] <= now:
            heapq.heappop(self._actions)[2]()
        for cable in self.cables:
            for target, wire in cable.wires.items():
                if wire.next_at <= now:
                    target.receive(cable, wire.due(now))
        for host in self.hosts:
            host.work(now)


class Wire:
    """One direction of a link."""

    def __init__(self, randomness: random.Random, settings: Settings) -> None:
        self.impairment = Impairment(randomness, settings)
        self.listener: Callable[[list[bytes]], object] | None = None
        """Who else hears all frames that arrive."""
        self._line = DelayLine(self.impairment)
        self._arrived: list[bytes] = []

    @property
    def next_at(self) -> float:
        """When frames arrive next."""
        if self._arrived:
            return 0.0
        next_at = self._line.next_at
        return NEVER if next_at is None else next_at

    def send(self, frames: list[bytes], now: float) -> int:
        """Take frames; give how many. A link with a rate takes only what its queue has room for."""
        if not self.impairment.settings.rate:
            self._arrived += self._line.put(frames, now)
            return len(frames)
        full = self.impairment.counters.queue_full
        for taken, frame in enumerate(frames):
            self._arrived += self._line.put([frame], now)
            if self.impairment.counters.queue_full > full:
                return taken
        return len(frames)

    def due(self, now: float) -> list[bytes]:
        """Give the frames that have arrived."""
        frames, self._arrived = [*self._arrived, *self._line.due(now)], []
        if self.listener is not None:
            self.listener(frames)
        return frames


class Cable:
    """A link between two hosts: a wire to each of them, and the carrier."""

    def __init__(self, network: Network, name: str, wires: dict[Host, Wire], mtu: int) -> None:
        self.name = name
        self.wires = wires
        self.mtu = mtu
        self.carrier = True
        self._network = network

    def change(self, **settings: float) -> None:
        """Change how both directions behave, as in `change(loss=0.2)`."""
        for wire in self.wires.values():
            wire.impairment.settings = replace(wire.impairment.settings, **settings)  # type: ignore[arg-type]

    def cut(self) -> None:
        """Become a black hole; the carrier stays."""
        self.change(cut=True)

    def mend(self) -> None:
        self.change(cut=False)

    def pull(self) -> None:
        """Take the carrier away; what travels is lost."""
        self.cut()
        self._set_carrier(carrier=False)

    def plug(self) -> None:
        self.mend()
        self._set_carrier(carrier=True)

    def _set_carrier(self, *, carrier: bool) -> None:
        self.carrier = carrier
        for host, wire in self.wires.items():
            wire.due(NEVER)
            host.carrier_changed(self)


class Host:
    """A host with the engine of its node, between an application that sends and one that listens."""

    def __init__(self, network: Network, number: int, **options: float | str | None) -> None:
        self.addresses = {4: f"10.0.0.{number}", 6: f"fd00::{number}"}
        self.name = f"host{number}"
        self.arrived: list[tuple[float, bytes]] = []
        """What was injected, and when."""
        self.events: list[tuple[float, Event]] = []
        self.alive = True
        self._network = network
        self._options = options
        self._cables: dict[Host, list[Cable]] = {}
        self._queue: list[bytes] = []
        self.restart()

    @property
    def networks(self) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
        return tuple(ipaddress.ip_network(address) for address in self.addresses.values())

    def restart(self) -> None:
        """Start the node (anew): another epoch, nothing remembered."""
        self.alive = True
        settings = NodeSettings(self._network.random.getrandbits(32))
        self.endpoint = Endpoint(settings, self._peers(), self.networks, self._network.now)
        for cable in itertools.chain.from_iterable(self._cables.values()):
            self.carrier_changed(cable)

    def kill(self) -> None:
        """End the node as SIGKILL does."""
        self.alive = False

    def attach(self, peer: Host, cable: Cable) -> None:
        """Take another link into the configuration, and reload it."""
        self._cables.setdefault(peer, []).append(cable)
        self.endpoint.update(self._peers(), self._network.now)

    def link(self, cable: Cable) -> Link:
        """Give the engine's side of a cable."""
        return next(
            self.endpoint.peers[peer.name].links[cable.name]
            for peer, cables in self._cables.items()
            if cable in cables
        )

    def carrier_changed(self, cable: Cable) -> None:
        reason = "" if cable.carrier else "no carrier"
        link, now = self.link(cable), self._network.now
        self.endpoint.link_changed(link, is_open=cable.carrier, mtu=cable.mtu, reason=reason, now=now)

    def send(self, packets: Sequence[bytes]) -> None:
        """Send what the application gives."""
        self._queue += packets

    def receive(self, cable: Cable, frames: list[bytes]) -> None:
        """Take frames from a cable, or from anybody who claims to be at its other end."""
        if self.alive:
            self.endpoint.receive(self.link(cable), *batch(frames), self._network.now)

    def deadline(self) -> float:
        if not self.alive:
            return NEVER
        return 0.0 if self._queue else self.endpoint.deadline()

    def work(self, now: float) -> None:
        """Do a round of what a node's loop does."""
        packets, self._queue = self._queue, []
        if not self.alive:
            return
        endpoint = self.endpoint
        if packets:
            endpoint.send(packets, now)
        endpoint.handle_timer(now)
        for link in endpoint.queued_links():
            link.settle(self._transmit(link, now))
        endpoint.settle()
        self.arrived += [(now, packet) for packet in endpoint.take_packets()]
        self.events += [(now, event) for event in endpoint.take_events()]

    def _transmit(self, link: Link, now: float) -> int:
        for peer, cables in self._cables.items():
            for cable in cables:
                if self.link(cable) is link:
                    return cable.wires[peer].send(queued_frames(link), now) if link.open else 0
        raise AssertionError(f"no cable for {link.name}")

    def _peers(self) -> list[PeerSettings]:
        return [
            PeerSettings(
                peer.name,
                peer.networks,
                tuple(LinkSettings(cable.name, cable.mtu) for cable in cables),
                **self._options,  # type: ignore[arg-type]
            )
            for peer, cables in self._cables.items()
        ]
