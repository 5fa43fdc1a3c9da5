"""A peer: its links with their monitors, the sender towards it, and the receiver of what comes from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from alagg.engine.addresses import Admission, Network
from alagg.engine.events import Event, LatentError, LinkStateChanged, NumberingReset
from alagg.engine.latent import LatentErrorCheck
from alagg.engine.link import DOWN, SILENT, UP, Link
from alagg.engine.monitor import MISSES, Monitor
from alagg.engine.receiver import Receiver, share_lost
from alagg.engine.scheduler import SCHEDULERS
from alagg.engine.sender import Sender

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.scheduler.base import Scheduler


@dataclass(frozen=True)
class LinkSettings:
    """What the engine has to know of one link."""

    name: str
    mtu: int
    """Bytes of the largest frame, header included."""
    weight: int = 1


@dataclass(frozen=True)
class PeerSettings:
    """What the engine has to know of one peer."""

    name: str
    destinations: tuple[Network, ...]
    links: tuple[LinkSettings, ...]
    scheduler: str = "redundant"
    copies: int | None = None
    reorder_timeout: float | None = None


@dataclass(frozen=True)
class NodeSettings:
    """What all peers of a node share."""

    epoch: int
    """A random number of this life of the node, 32 bits."""
    lane: int = 0
    window: int = 1 << 16
    probe_interval: float = 0.1


class Peer:
    """Everything between one peer and this node."""

    def __init__(self, settings: PeerSettings, node: NodeSettings, local: Sequence[Network], now: float) -> None:
        """Set a peer up; `local` are the networks of this host."""
        self.settings = settings
        self.links: dict[str, Link] = {}
        self.monitors: dict[Link, Monitor] = {}
        self.events: list[Event] = []
        self.due = now
        """The time at which `handle_timer` has something to do, or before; whoever gives it more lowers it."""
        self._node = node
        self._local = local
        self._next_id = 0
        self._next_probe = now
        self._next_tick = now + 1.0
        self._latent = LatentErrorCheck(now)
        self._states: dict[Link, str] = {}
        self._add_links(settings.links, now)
        self._admission = Admission(settings.destinations, local)
        self.sender = Sender(node.epoch, node.lane, self._scheduler(), tuple(self.links.values()))
        live_time = (MISSES + 0.5) * node.probe_interval
        self.receiver = Receiver(
            self._admission, self.monitors, node.window, settings.reorder_timeout, live_time
        )

    @property
    def latent_errors(self) -> int:
        """Periods in which copies were missing although no packet was lost."""
        return self._latent.errors

    def expected(self, link: Link) -> int:
        """Give how many frames of the peer should have come on the link of late, over all lanes."""
        return sum(expected for _, expected in self._recent(link))

    def loss(self, link: Link) -> float | None:
        """Share of these frames that were lost, 0 to 1; None before the first."""
        recent = self._recent(link)
        if not recent:
            return None
        received, expected = map(sum, zip(*recent, strict=True))
        return share_lost(received, expected)

    def _recent(self, link: Link) -> list[tuple[int, int]]:
        return [lane.tracks[link].recent for lane in self.receiver.lanes.values() if link in lane.tracks]

    def set_local(self, local: Sequence[Network]) -> None:
        """Take the networks of this host anew: its addresses have changed."""
        self._local = local
        self._admission.set_destinations(local)

    def update(self, settings: PeerSettings, now: float) -> None:
        """Take new settings; links that stay keep their numbers, and so does the peer."""
        names = {link.name for link in settings.links}
        for name in [name for name in self.links if name not in names]:
            self._remove_link(name)
        self._add_links([link for link in settings.links if link.name not in self.links], now)
        for link in settings.links:
            self.links[link.name].weight = link.weight
        if (settings.scheduler, settings.copies) != (self.settings.scheduler, self.settings.copies):
            self.settings = settings
            self.sender.scheduler = self._scheduler()
        self.settings = settings
        self._admission.set_sources(settings.destinations)
        self.receiver.set_timeout(settings.reorder_timeout, now)
        self._next_probe = self.due = now
        self.sender.set_links(tuple(self.links[link.name] for link in settings.links))

    def link_changed(self, link: Link, *, is_open: bool, mtu: int, reason: str, now: float) -> None:
        """Take what the port says of a link: whether it can send, its MTU, and why it cannot."""
        if (link.open, link.mtu, link.reason) == (is_open, mtu, reason):
            return
        link.open, link.mtu, link.reason = is_open, mtu, reason
        self.sender.links_changed()
        self.monitors[link].next_time = self._next_probe = self.due = now

    def handle_timer(self, now: float) -> None:
        """Do what is due: release packets, probe the links, look at what was measured."""
        self.receiver.handle_timer(now)
        if now >= self._next_probe:
            self._probe(now)
        if now >= self._next_tick:
            self._next_tick = max(self._next_tick + 1.0, now)
            self._tick(now)
        self.due = min(self._next_probe, self._next_tick, self.receiver.deadline())

    def _probe(self, now: float) -> None:
        next_probe = float("inf")
        for link, monitor in self.monitors.items():
            monitor.probe(now)
            self._watch(link, monitor, now)
            next_probe = min(next_probe, monitor.next_time)
        self._next_probe = next_probe

    def _tick(self, now: float) -> None:
        for lane in self.receiver.lanes.values():
            lane.tick()
        self._check_redundancy(now)

    def _check_redundancy(self, now: float) -> None:
        if self.settings.scheduler != "redundant":
            return
        copies = min(self.settings.copies or len(self.links), len(self.links))
        counters = [lane.recovery.counters() for lane in self.receiver.lanes.values()]
        passed = sum(counter["passed"] for counter in counters)
        discarded = sum(counter["discarded"] for counter in counters)
        if self._latent.check(passed, discarded, copies, now):
            self.events.append(LatentError(self.settings.name, self._latent.expected, self._latent.came))

    def _watch(self, link: Link, monitor: Monitor, now: float) -> None:
        if monitor.state == SILENT and link.open:
            link.reason = "the peer does not answer"
        elif monitor.state == UP:
            link.reason = ""
        if self._states[link] != monitor.state and monitor.settled(now):
            self._states[link] = monitor.state
            link.answering = monitor.state == UP
            self.events.append(LinkStateChanged(self.settings.name, link.name, monitor.state, link.reason))

    def take_events(self) -> list[Event]:
        """Give what happened since the last call."""
        for lane in self.receiver.reset_lanes:
            if lane.recovery.resets:
                self.events.append(NumberingReset(self.settings.name, lane.number, lane.recovery.epoch or 0))
        self.receiver.reset_lanes.clear()
        events, self.events = self.events, []
        return events

    def _scheduler(self) -> Scheduler:
        return SCHEDULERS[self.settings.scheduler](self.settings.copies)

    def _add_links(self, links: Sequence[LinkSettings], now: float) -> None:
        for settings in links:
            link = Link(self._next_id, settings.name, settings.mtu, settings.weight, self._node.lane)
            link.rx_last = now  # as good as heard: gaps wait for it until it had its time to show something
            self._next_id = (self._next_id + 1) & 0xFF
            self.links[settings.name] = link
            self.monitors[link] = Monitor(link, self._node.epoch, self._node.lane, self._node.probe_interval, now)
            self._states[link] = DOWN

    def _remove_link(self, name: str) -> None:
        link = self.links.pop(name)
        del self.monitors[link], self._states[link]
        for lane in self.receiver.lanes.values():
            lane.forget(link)
