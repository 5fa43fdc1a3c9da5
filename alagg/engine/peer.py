"""A peer: its links with their monitors, the sender towards it, and the receiver of what comes from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from alagg.engine.addresses import Admission, Network, PrefixTable, in_words
from alagg.engine.dialogue import Dialogue
from alagg.engine.events import (
    AdviceChanged,
    Event,
    LatentError,
    LinkFound,
    LinkStateChanged,
    NumberingReset,
    PacketsRefused,
)
from alagg.engine.flowqueue import Budget
from alagg.engine.held import Held
from alagg.engine.holding import balance, hold_all, try_first
from alagg.engine.lane import share_lost
from alagg.engine.latent import LatentErrorCheck
from alagg.engine.link import Link, free_id
from alagg.engine.monitor import MISSES, Monitor
from alagg.engine.receiver import Receiver
from alagg.engine.scheduler import SCHEDULERS
from alagg.engine.sender import Sender
from alagg.engine.state import ANSWERING, DOWN, NEW, SHUT, STANDBY, SUSPECT, UP, WARY

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alagg.engine.scheduler.base import Scheduler

TICK: Final = 1.0
"""Seconds between two looks at what was measured."""
WAKE: Final = 0.1
"""Seconds between two looks at whether packets flow."""
QUIET: Final = 60.0
"""Seconds between two words about packets that are refused for the same reason."""
PASSING: Final = frozenset((NEW, WARY, SUSPECT))
"""States that a link is in for a moment; status shows them, and no event is made of them."""


@dataclass(frozen=True)
class LinkSettings:
    """What the engine has to know of one link."""

    name: str
    mtu: int
    """Bytes of the largest frame, header included."""
    weight: int = 1
    rate: float = 0.0
    """Bytes per second that this worker may send on it; 0 for no limit."""
    overhead: int = 14
    """Bytes that each frame has before our header, as far as the rate counts them."""
    introduces: bool = False
    """Whether the peer learns from its frames where this node is."""
    backup: bool = False
    """Whether it carries only while others cannot."""
    way: tuple[object, ...] = ()
    """Where it leads; of a link that leads elsewhere nothing is known any more."""


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
    workers: int = 1
    secret: bytes = b""
    """At least 8 bytes that nobody can guess; empty only where nobody tries to."""
    held: Held = field(default_factory=Held)
    """What waits in the buffers of all peers, and its bound."""
    budget: Budget = field(default_factory=Budget, compare=False)
    """The bytes that may wait for all peers."""

    @property
    def watches(self) -> bool:
        """Whether this worker is the one that watches the links; the others follow it."""
        return self.lane == 0


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
        self._used_ids: dict[int, int] = {}
        """The link sequence that follows, for each number that a link had, the one used last at the end."""
        self._next_probe = now
        self.resting: dict[str, str] = {}
        """Links that carry only while others cannot, besides the backups, and why, in words."""
        self._has_backups = any(link.backup for link in settings.links)
        self._next_tick = now + TICK
        self._idle = False
        """Whether no packets flow: the links are probed together, and what is due each second is done then."""
        self._next_wake = now
        self._next_report = now
        self._reported = 0
        """Frames of data so far, when it was reported last what came."""
        self.scheduled = float("inf")
        """When the endpoint's timer asks this peer next."""
        self._latent = LatentErrorCheck(now)
        self._states: dict[Link, str] = {}
        """What the other workers know."""
        self._told: dict[Link, str] = {}
        """What the operator knows."""
        self._refusals_told: dict[str, float] = {}
        self._moved = 0
        """Packets and frames of data so far, when they were looked at last."""
        self._add_links(settings.links, now)
        self._admission = Admission(settings.destinations, local)
        self.sender = Sender(node.epoch, node.lane, self._scheduler(), tuple(self.links.values()))
        self._set_rates()
        live_time = (MISSES + 0.5) * node.probe_interval
        secret = int.from_bytes(node.secret[:8], "big")
        self.receiver = Receiver(
            self._admission, self.monitors, node.window, settings.reorder_timeout, live_time, secret, node.held
        )
        self.dialogue = Dialogue(self, node)

    @property
    def latent_errors(self) -> int:
        """Periods in which copies were missing although no packet was lost."""
        return self._latent.errors

    @property
    def local(self) -> Sequence[Network]:
        """The networks of this host."""
        return self._local

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

    def state(self, link: Link) -> str:
        """Give a link's state, one of `alagg.engine.state.STATES`."""
        return link.state if link.open or link.is_shut else DOWN

    def set_local(self, local: Sequence[Network], table: PrefixTable[bool]) -> None:
        """Take the networks of this host anew: its addresses have changed. All peers share the table of them."""
        self._local = local
        self._admission.set_destinations(table)

    def update(self, settings: PeerSettings, now: float) -> None:
        """Take new settings; links that stay keep their numbers, and so does the peer."""
        names = {link.name for link in settings.links}
        for name in [name for name in self.links if name not in names]:
            self._remove_link(name)
        ways = {link.name: link.way for link in self.settings.links}
        moved = [self.links[one.name] for one in settings.links if one.way != ways.get(one.name, one.way)]
        known = set(self.links.values())
        self._add_links([link for link in settings.links if link.name not in self.links], now)
        if self._node.watches:
            try_first(self, [link for link in self.links.values() if link in moved or link not in known], now)
        for link in settings.links:
            self.links[link.name].weight = link.weight
            self.links[link.name].introduces = link.introduces
        if (settings.scheduler, settings.copies) != (self.settings.scheduler, self.settings.copies):
            self.settings = settings
            self.sender.scheduler = self._scheduler()
        self.settings = settings
        if self._has_backups:
            balance(self, now)
        self._has_backups = bool(self.resting) or any(link.backup for link in settings.links)
        self._admission.set_sources(settings.destinations)
        self.receiver.set_timeout(settings.reorder_timeout, now)
        self._next_probe = self.due = now
        self.sender.set_links(tuple(self.links[link.name] for link in settings.links))
        self._set_rates()

    def drop(self) -> None:
        """Throw away all that waits: the peer is no more, and others share what it had of the node's memory."""
        self.receiver.drop()
        if self.sender.late is not None:
            self.sender.late.clear()

    def _set_rates(self) -> None:
        rates = {self.links[link.name]: (link.rate, link.overhead) for link in self.settings.links}
        self.sender.set_rates(rates, self._node.budget)

    def link_changed(self, link: Link, *, is_open: bool, mtu: int, reason: str, now: float) -> None:
        """Take what the port says of a link: whether it can send, its MTU, and why it cannot."""
        if (link.open, link.mtu, link.trouble) == (is_open, mtu, reason):
            return
        if link.mtu != mtu:
            link.mtu = mtu
            self.monitors[link].path_mtu.forget()
        link.open, link.trouble = is_open, reason
        if self._node.watches:
            self.monitors[link].port_changed(now)
        elif not link.is_shut:
            link.become(UP if is_open else DOWN, reason)
        self.sender.links_changed()
        if link.introduces:
            self.dialogue.greet(link, now)
        self._next_probe = self.due = now

    def hold(self, link: Link, state: str, reason: str, now: float) -> None:
        """Hold a link back, `BLOCKED`, `CAPPED` or in `STANDBY`, for a reason in words; with none, no longer."""
        monitor = self.monitors[link]
        if self._node.watches:
            monitor.hold(state, reason, now)
        elif state != STANDBY:  # the worker that watches the links tells of that
            monitor.note(state, reason)
            if monitor.wants in SHUT:
                link.become(monitor.wants, monitor.holds[monitor.wants])
            elif link.held:
                link.become(UP if link.open else DOWN, link.trouble)
        self.sender.links_changed()
        self._next_probe = self.due = now

    def set_held(self, holds: Mapping[str, Mapping[str, str]], now: float) -> bool:
        """Hold links back, and no others (`alagg.engine.holding.hold_all`); say whether that changes anything."""
        changed = hold_all(self, holds, now)
        if changed and self._node.watches:
            balance(self, now)
            self._has_backups = bool(self.resting) or any(link.backup for link in self.settings.links)
        return changed

    def follow(self, link: Link, state: str, path_mtu: int) -> None:
        """Take what the worker that watches the links has found out."""
        link.become(state, "")
        link.path_mtu = path_mtu
        self.sender.links_changed()

    def doubt(self, link: Link, now: float) -> None:
        """Find out soon whether the peer still answers on a link."""
        self.monitors[link].busy(now)
        self._ask_by(self.monitors[link].next_time)

    def ask(self, link: Link, now: float) -> None:
        """Probe a link soon: the peer was heard on it."""
        self.monitors[link].hurry(now)
        self._ask_by(self.monitors[link].next_time)

    def _ask_by(self, time: float) -> None:
        self._next_probe = min(self._next_probe, time)
        self.due = min(self.due, self._next_probe)

    def doubt_size(self, link: Link, now: float) -> None:
        """Find out soon how large a frame arrives on a link."""
        self.monitors[link].doubt_size(now)
        self.doubt(link, now)

    def moved(self, link: Link, now: float) -> None:
        """Take that a link leads another way: what was found out about the old one says nothing of it."""
        self.monitors[link].path_mtu.forget()
        self.sender.links_changed()
        self.doubt(link, now)

    def handle_timer(self, now: float) -> None:
        """Do what is due: release packets, probe the links, look at what was measured."""
        self.receiver.handle_timer(now)
        if now >= self.sender.due:
            self.sender.retry(now)
        probes = now >= self._next_probe
        if probes:
            self._probe(now)
        if now >= self._next_tick or (probes and self._idle and self._next_tick - now < TICK / 2):
            self._next_tick = now + TICK if self._idle else max(self._next_tick + TICK, now)
            self._tick(now)
        self.due = min(self._next_probe, self._next_tick, self.receiver.deadline(), self.sender.due)

    def wake(self, now: float) -> None:
        """Note whether packets flow, and report what came: idle links are probed more rarely, and not spoken of."""
        if now >= self._next_report and self.receiver.data_frames != self._reported:
            self._reported = self.receiver.data_frames
            self._next_report = now + self.dialogue.report(now)
        if now < self._next_wake:
            return
        self._next_wake = now + WAKE
        moved = self.sender.captured + self.receiver.data_frames
        if moved != self._moved:
            self._moved = moved
            for monitor in self.monitors.values():
                monitor.busy(now)
                self._ask_by(monitor.next_time)

    def hear(self, now: float) -> None:
        """Take the control frames that came."""
        controls, self.receiver.controls = self.receiver.controls, []
        for link, epoch, link_id, payload in controls:
            self.dialogue.hear(link, epoch, link_id, payload, now)

    def _probe(self, now: float) -> None:
        if not self._node.watches:
            self._next_probe = float("inf")
            return
        next_probe = earliest = float("inf")
        idle = True
        if self._has_backups:
            balance(self, now)
        for link, monitor in self.monitors.items():
            room = link.room
            monitor.probe(now)
            if link.room != room:
                self.sender.links_changed()
                self._found(link)
            self._watch(link, now)
            next_probe = min(next_probe, monitor.due)
            idle = idle and monitor.is_idle
            if monitor.next_time > now and not link.is_shut:
                earliest = min(earliest, monitor.next_time)
        self._idle = idle
        self._next_probe = earliest if idle else next_probe
        if idle:  # then what is overdue has time until the next probe
            for monitor in self.monitors.values():
                monitor.next_time = min(monitor.next_time, earliest)
        if self._has_backups:
            balance(self, now)

    def _tick(self, now: float) -> None:
        for lane in self.receiver.lanes.values():
            lane.tick()
        self._check_redundancy(now)
        self._tell_refusals(now)
        self.dialogue.tick(now)
        self.sender.links_changed()

    def _check_redundancy(self, now: float) -> None:
        up = sum(self.state(link) in ANSWERING for link in self.links.values())
        copies = self.dialogue.far.copies(up)
        counters = [lane.recovery.counters() for lane in self.receiver.lanes.values()]
        passed = sum(counter["passed"] for counter in counters)
        discarded = sum(counter["discarded"] for counter in counters)
        if self._latent.check(passed, discarded, copies, now) and self._node.watches:
            self.events.append(LatentError(self.settings.name, self._latent.expected, self._latent.came))

    def _tell_refusals(self, now: float) -> None:
        for reason, (since, packet) in self.receiver.refused_last.items():
            told = self._refusals_told.get(reason, float("-inf"))
            if since > told and now - told >= QUIET:
                self._refusals_told[reason] = now
                count = self.receiver.refused[reason]
                self.events.append(PacketsRefused(self.settings.name, reason, count, *in_words(packet)))

    def _watch(self, link: Link, now: float) -> None:
        """Tell what became of a link: the other workers all, the operator what is more than a moment's doubt."""
        before, state = self._states[link], link.state
        if state == before:
            return
        self._states[link] = state
        if state == NEW:
            self._told[link] = NEW
        self.sender.links_changed()
        self._found(link)
        if state in ANSWERING and before not in ANSWERING:
            self.dialogue.greet(link, now)
        damped = state == WARY and self.monitors[link].damping > 0
        if (state in PASSING and not damped) or state == self._told[link]:
            return
        self._told[link] = state
        self.events.append(LinkStateChanged(self.settings.name, link.name, state, link.reason))

    def _found(self, link: Link) -> None:
        """Have the other workers follow."""
        if self._node.workers > 1:
            self.events.append(LinkFound(self.settings.name, link.name, link.state, link.path_mtu))

    def take_events(self) -> list[Event]:
        """Give what happened since the last call."""
        for lane in self.receiver.reset_lanes:
            if lane.recovery.resets:
                self.events.append(NumberingReset(self.settings.name, lane.number, lane.recovery.epoch or 0))
        self.receiver.reset_lanes.clear()
        events, self.events = self.events, []
        return events

    def advise(self, advice: list[str]) -> None:
        """Tell what does not fit between the two nodes."""
        if self._node.watches:
            self.events.append(AdviceChanged(self.settings.name, tuple(advice)))

    def _scheduler(self) -> Scheduler:
        return SCHEDULERS[self.settings.scheduler](self.settings.copies)

    def _add_links(self, links: Sequence[LinkSettings], now: float) -> None:
        node = self._node
        for settings in links:
            number = free_id({link.id for link in self.links.values()}, self._used_ids)
            link = Link(number, settings.name, settings.mtu, settings.weight, node.lane)
            link.link_sequence = self._used_ids.pop(number, 0)
            link.introduces = settings.introduces
            link.rx_last = now  # as good as heard: gaps wait for it until it had its time to show something
            self.links[settings.name] = link
            self.monitors[link] = self.new_monitor(link, now)
            self._states[link] = self._told[link] = DOWN
            if not node.watches:
                link.become(UP, "")

    def new_monitor(self, link: Link, now: float) -> Monitor:
        """Give a monitor that knows nothing of a link yet."""
        node = self._node
        return Monitor(link, node.epoch, node.lane, node.probe_interval, now, self._secret(link.name))

    def _secret(self, link: str) -> bytes:
        """Give what makes the cookies of one link: who sees those of another one cannot answer for it."""
        return blake2b(f"{self.settings.name}\0{link}".encode(), key=self._node.secret, digest_size=16).digest()

    def _remove_link(self, name: str) -> None:
        link = self.links.pop(name)
        self._used_ids[link.id] = link.link_sequence
        del self.monitors[link], self._states[link], self._told[link]
        self.dialogue.forget(name)
        for lane in self.receiver.lanes.values():
            lane.forget(link)
