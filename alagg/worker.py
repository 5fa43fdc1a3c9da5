"""Worker: the loop of the data plane. Poll, read a batch, engine, write; it waits for nobody.

A worker is a process of its own. It shares nothing with the other workers, and with the supervisor (`alagg.node`)
only a connection, over which come what the supervisor knows of the host (`HostFacts`), new configurations, and
requests for a snapshot.
"""

from __future__ import annotations

import logging
import os
import time
from operator import is_
from typing import TYPE_CHECKING, Final

from alagg import form
from alagg.carried import Carried
from alagg.control.recent import Recent
from alagg.control.snapshot import Json, parts, whole
from alagg.crew import Crew, log_event
from alagg.engine.endpoint import Endpoint
from alagg.engine.events import LinkFound, ReportHeard
from alagg.engine.held import Held
from alagg.engine.peer import NodeSettings
from alagg.messages import HostFacts, InterfaceFacts
from alagg.ports.base import bare
from alagg.ports.nfqueue import LIMITS
from alagg.ports.tun import TunCapture, TunInjector
from alagg.ports.udpport import UdpPort
from alagg.settings import translated
from alagg.system.limits import memory_to_hold
from alagg.whereabouts import Whereabouts

if TYPE_CHECKING or form.edges() == "plain":
    from alagg.ports.poller import Poller
else:
    from alagg.native.poller import Poller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from alagg.config import Config
    from alagg.engine.events import Event
    from alagg.engine.link import Link
    from alagg.messages import Names
    from alagg.ports.base import Arrival, Capture, Injector, Port
    from alagg.ports.udpport import Place

RETRY: Final = 0.1
"""Seconds between two attempts to open a port that should be open."""
_READ_OUT: Final = 64
"""Reads of an interface that goes, at most."""

log = logging.getLogger(__name__)

# The same again for C: other modules cannot see what the .pxd declares.
_RETRY: Final = RETRY

_NO_INTERFACE: Final = InterfaceFacts(0, 0, "")


class PortSlot:
    """An interface's or place's port, which comes and goes with it; the links over it share it."""

    def __init__(self, where: str | Place) -> None:
        """Start closed; `where` is the interface, or the place of UDP links."""
        self.where = where
        self.is_udp = not isinstance(where, str)
        self.interface: str = where if isinstance(where, str) else where.interface
        self.links: dict[bytes, Link] = {}
        """The links over the interface by their remote address."""
        self.port: Port | None = None
        self.descriptor = -1
        """The open port's descriptor; a port that has gone down may not tell it any more."""
        self.index = 0
        """The interface's index when the port was opened: another one means another interface."""
        self.told: tuple[str, InterfaceFacts | None, dict[bytes, Link]] = ("", None, {})
        """What the links over it know: why it is closed, and of its interface."""


class Worker:
    """Joins the engine with its edges in one loop."""

    def __init__(
        self,
        config: Config,
        epoch: int,
        captures: Sequence[Capture],
        injector: Injector,
        open_port: Callable[[Config, str | Place, Sequence[bytes]], Port],
        clock: Callable[[], float] = time.monotonic,
        lane: int = 0,
    ) -> None:
        """Set up the engine; ports open when `take_facts` says that their interfaces are there.

        `lane` is the worker's number, from 0, and the number space of what it sends.
        """
        self.config = config
        self.captures = captures
        self.injector = injector
        self.clock = clock
        self.running = True
        self.on_event: Callable[[Event, int], None] = log_event
        """What is done with what the engine tells, and the lane."""
        self.slots: dict[str | Place, PortSlot] = {}
        """The ports by their interfaces, or the places of UDP links."""
        self.remotes: dict[Link, tuple[PortSlot, bytes]] = {}
        """Where each link leads: its port, and the remote address."""
        self.crew = Crew(1)
        """The workers of the node; `join` exchanges it for theirs."""
        self.strangers = 0
        """Frames from addresses that were taken out of the configuration while they waited."""
        now = clock()
        self._facts = HostFacts({}, ())
        self._open_port = open_port
        self._next_retry = now + _RETRY
        self._busy_until = float("-inf")
        """While this lasts, the loop polls without sleeping (`busy_poll`)."""
        self._recent = Recent()
        self._poll = Poller()
        self._handlers: dict[int, Callable[[float], object]] = {}
        node = NodeSettings(
            epoch, lane, window=config.window, probe_interval=config.probe_interval, workers=config.workers,
            secret=os.urandom(16), held=Held(memory_to_hold() // config.workers),
        )  # fmt: skip
        self._settings = translated(config)
        self.endpoint = Endpoint(node, [settings for _, settings in self._settings.values()], (), now)
        self.whereabouts = Whereabouts(self)
        self.carried = Carried(self)
        self._update_slots(now)
        for capture in captures:
            self._watch_capture(capture)

    def watch(self, descriptor: int, handler: Callable[[float], object]) -> None:
        """Call `handler` with the time whenever the descriptor is readable."""
        self._handlers[descriptor] = handler
        self._poll.register(descriptor)

    def unwatch(self, descriptor: int) -> None:
        """Stop watching; call it before the descriptor is closed."""
        if self._handlers.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def run(self) -> None:
        """Work until `running` is false; then release what is held and close the edges."""
        while self.running:
            self.step(self.pause(self.clock()))
        self.endpoint.flush(self.clock())
        self._write(self.clock())
        for slot in self.slots.values():
            self._close(slot)
        for capture in self.captures:
            capture.close()
        self.injector.close()

    def pause(self, now: float) -> float:
        """Give the seconds for which the loop may sleep: until a timer is due, or not at all while it is busy."""
        return max(self.endpoint.deadline() - now, 0.0) if now >= self._busy_until else 0.0

    def step(self, timeout: float) -> None:
        """Wait for work for at most `timeout` seconds, and do one round of it."""
        ready = self._poll.poll(min(timeout, _RETRY))
        now = self.clock()
        if ready:
            self._busy_until = now + self.config.busy_poll
        for descriptor in ready:
            handler = self._handlers.get(descriptor)
            if handler is not None:
                handler(now)
        self.endpoint.handle_timer(now)
        self._write(now)
        self._reopen(now)

    def take_facts(self, facts: HostFacts) -> None:
        """Take what the supervisor knows of the host; open and close ports accordingly."""
        now = self.clock()
        if facts.local != self._facts.local:
            self.endpoint.set_local(facts.local)
        if facts.device and (facts.device, facts.device_index) != (self._facts.device, self._facts.device_index):
            self._use_device(facts.device)
        self._facts = facts
        self.whereabouts.take_facts(facts, now)
        for slot in self.slots.values():
            self._apply_facts(slot, now)

    def _use_device(self, name: str) -> None:
        """Inject through the node's device from now on, if it can be had, and capture what is routed to it."""
        try:
            injector = TunInjector(name, self.injector, first=self.endpoint.settings.lane == 0)
        except OSError as error:
            reason = error.strerror or error
            log.warning("injecting through raw sockets, which is slower: device %s: %s", name, reason)
            return
        self.injector = injector
        capture = TunCapture(injector.fileno())
        capture.segment_size = self.endpoint.room or capture.segment_size
        self.captures = (*self.captures, capture)
        self.watch(capture.fileno(), lambda now: self._capture_device(capture, now))

    def _capture_device(self, capture: Capture, now: float) -> None:
        try:
            self._capture(capture, now)
        except OSError:  # the device is gone; without this its descriptor would be ready for ever
            self.unwatch(capture.fileno())

    def reconfigure(self, config: Config) -> None:
        """Take a new configuration; what stays the same keeps running."""
        now = self.clock()
        self._write(now)  # what is queued on a link that goes away must still leave on it
        same = len(config.peers) == len(self.config.peers) and all(map(is_, config.peers, self.config.peers))
        if not same:
            self._open_new(config)
            self._read_out(config, now)
        self.config = config
        if not same:
            self._settings = translated(config, self._settings)
            self.endpoint.update([settings for _, settings in self._settings.values()], now)
            self._update_slots(now)
        for slot in self.slots.values():
            self._apply_facts(slot, now)

    def _open_new(self, config: Config) -> None:
        """Open interfaces that are new to the configuration: what comes there waits until their links are known."""
        wanted: dict[str, list[bytes]] = {}
        for link in config.links:
            if link.type == "ethernet" and link.interface not in self.slots:
                wanted.setdefault(link.interface, []).append(link.mac)
        for interface, remotes in wanted.items():
            facts = self._facts.interfaces.get(interface)
            if facts is not None and not facts.reason:
                slot = PortSlot(interface)
                if not self._open(slot, facts.index, remotes):
                    self.slots[interface] = slot

    def _read_out(self, config: Config, now: float) -> None:
        """Take what has come by interfaces that are about to go."""
        stay = {link.interface for link in config.links}
        for slot in self.slots.values():
            if not slot.is_udp and slot.interface not in stay:
                for _ in range(_READ_OUT):
                    if not self._receive(slot, now):
                        break

    def snapshot(self) -> Json:
        """Give every counter (see `alagg.control.snapshot`)."""
        return whole([part for part, _ in self.snapshot_parts()])

    def snapshot_parts(self) -> Iterator[tuple[Json, bool]]:
        """Give every counter, a bounded piece of work at a time."""
        return parts(
            self.endpoint, self.config, self._port_of, self.captures, self.injector, self.strangers, self._recent,
            self.clock(), self.whereabouts, self.carried.used,
        )  # fmt: skip

    def _port_of(self, link: Link) -> Port | None:
        return self.remotes[link][0].port

    def _watch_capture(self, capture: Capture) -> None:
        self.watch(capture.fileno(), lambda now: self._capture(capture, now))

    def _capture(self, capture: Capture, now: float) -> None:
        self.endpoint.send(capture.receive(), now)
        self._write(now)
        capture.settle()

    def _receive(self, slot: PortSlot, now: float) -> bool:
        """Take what came at a port, as much as one read gives; tell whether there was anything."""
        port = slot.port
        if port is None:
            return False
        try:
            arrivals = port.receive()
        except OSError as error:
            self._fail(slot, error, now)
            return False
        for remote, headers, payloads in arrivals:
            link = slot.links.get(remote)
            if link is None:
                self.strangers += len(payloads)
                if self.whereabouts.ways:
                    self._strange(slot, arrivals, (remote, headers, payloads), now)
            else:
                self.endpoint.receive(link, headers, payloads, now)
        return bool(arrivals)

    def _strange(self, slot: PortSlot, arrivals: list[Arrival], arrival: Arrival, now: float) -> None:
        port = bare(slot.port) if slot.port is not None else None
        place = next(at for at, one in enumerate(arrivals) if one[1] is arrival[1])
        index = port.ways[place] if isinstance(port, UdpPort) else 0
        self.whereabouts.door.strange(slot, arrival, index, now)

    def _write(self, now: float) -> None:
        """Hand over everything that the engine has ready."""
        endpoint = self.endpoint
        if endpoint.is_quiet():
            return
        for link in endpoint.queued_links():
            self._send(link, now)
        endpoint.settle()
        packets = endpoint.take_packets()
        if packets:
            LIMITS.watch(packets)
            self.injector.send(packets)
        for event in endpoint.take_events():
            if isinstance(event, LinkFound | ReportHeard):
                self.crew.tell(event)
            else:
                self.on_event(event, endpoint.settings.lane)

    def _send(self, link: Link, now: float) -> None:
        slot, remote = self.remotes[link]
        if slot.port is None or not link.open:
            link.settle(0)
            return
        try:
            taken = slot.port.send(remote, link.headers, link.payloads)
        except OSError as error:
            if slot.is_udp:
                self.whereabouts.refused(link, error, now)
            else:
                self._fail(slot, error, now)
            link.settle(0)
        else:
            link.settle(taken)

    def _fail(self, slot: PortSlot, error: OSError, now: float) -> None:
        """Close a port that failed; the supervisor's facts or the next retry open it again."""
        self._close(slot)
        self._tell(slot, reason=error.strerror or str(error), now=now)

    def _reopen(self, now: float) -> None:
        if now < self._next_retry:
            return
        self._next_retry = now + _RETRY
        self.crew.flush()
        self.carried.look()
        self._recent.look(self.remotes, self._port_of, now)
        self.size_captures()
        for slot in self.slots.values():
            if slot.port is None:
                self._apply_facts(slot, now)
            else:
                self._inform(slot)
        self.whereabouts.look(now)

    def _apply_facts(self, slot: PortSlot, now: float) -> None:
        facts = self.facts_of(slot)
        reason = "the interface does not exist" if facts is None else facts.reason
        if facts is not None and slot.port is not None and slot.index != facts.index:
            self._close(slot)
        if facts is not None and not reason and slot.port is None:
            reason = self._open(slot, facts.index, self.whereabouts.remotes(slot))
        if reason:
            self._close(slot)
        self._inform(slot)
        self._tell(slot, reason=reason, now=now)

    def _inform(self, slot: PortSlot) -> None:
        """Tell a port its own address, and let it pass what orders and filters frames where there is nothing."""
        facts = self._facts.interfaces.get(slot.interface)
        if slot.port is not None and facts is not None:
            allowed, reason = facts.bypass(self.config.xdp)
            slot.port.bypass_queues(allowed=allowed, reason=reason, mtu=facts.mtu)
            slot.port.set_own_mac(facts.mac)

    def _open(self, slot: PortSlot, index: int, remotes: Sequence[bytes]) -> str:
        """Open a port; give the reason when it cannot be."""
        try:
            slot.port = self._open_port(self.config, slot.where, remotes)
        except OSError as error:
            return error.strerror or str(error)
        slot.index = index
        slot.descriptor = slot.port.fileno()
        self.watch(slot.descriptor, lambda now: self._receive(slot, now))
        self.whereabouts.opened(self.clock(), slot)
        return ""

    def _close(self, slot: PortSlot) -> None:
        if slot.port is not None:
            self.unwatch(slot.descriptor)
            slot.port.close()
            slot.port = None

    def _tell(self, slot: PortSlot, *, reason: str, now: float) -> None:
        """Tell the engine what became of a port; the interface's MTU may have changed since it was opened."""
        facts = self.facts_of(slot)
        told = reason, facts, slot.links
        if slot.told[2] is slot.links and slot.told[:2] == told[:2] and not slot.is_udp:
            return
        slot.told = told
        for link in list(slot.links.values()):
            mtu = link.mtu if facts is None else facts.mtu
            why = reason
            if (way := self.whereabouts.ways.get(link)) is not None:
                mtu = self.whereabouts.mtu(link, 0 if facts is None else facts.mtu)
                why = reason or way.reason
            self.endpoint.link_changed(link, is_open=not why, mtu=mtu, reason=why, now=now)
        self.size_captures()

    def facts_of(self, slot: PortSlot) -> InterfaceFacts | None:
        """Give what is known of a slot's interface; a UDP link without one has what it needs."""
        return _NO_INTERFACE if slot.is_udp and not slot.interface else self._facts.interfaces.get(slot.interface)

    def take_names(self, names: Names) -> None:
        """Take what the names of UDP links' remotes stand for."""
        self.whereabouts.take(names, self.clock())

    def size_captures(self) -> None:
        """Have super-packets cut to what the links carry now."""
        room = self.endpoint.room
        for capture in self.captures if room else ():
            capture.segment_size = room

    def _update_slots(self, now: float) -> None:
        """Match the ports with the configured links."""
        wanted: dict[str | Place, dict[bytes, Link]] = {}
        self.whereabouts.update(now)
        for peer in self.config.peers:
            for config in peer.links:
                link = self.endpoint.peers[peer.name].links[config.name]
                if (way := self.whereabouts.ways.get(link)) is not None:
                    wanted.setdefault(way.place, {})[way.key] = link
                else:
                    wanted.setdefault(config.interface, {})[config.mac] = link
        for where in [where for where in self.slots if where not in wanted]:
            self._close(self.slots.pop(where))
        for where, links in wanted.items():
            self._update_slot(self.slots.setdefault(where, PortSlot(where)), links, now)
        self.remotes = {
            link: (slot, remote) for slot in self.slots.values() for remote, link in slot.links.items()
        }
        self.whereabouts.opened(now)

    def _update_slot(self, slot: PortSlot, links: dict[bytes, Link], now: float) -> None:
        if links == slot.links:
            return
        slot.links = links
        if slot.port is None:
            self._tell(slot, reason="not opened yet", now=now)
            return
        try:
            slot.port.set_remotes(self.whereabouts.remotes(slot))
        except OSError as error:
            self._fail(slot, error, now)
        else:
            self._tell(slot, reason="", now=now)
