"""Node: the supervisor around the workers. It looks after the host, the control socket and the signals.

In the order of a node's life: take the journal (and undo what a crashed node left), start the workers, tell them what
the host looks like, bring the packets to them, say that we are ready; then serve events until a signal ends it, lead
the packets elsewhere again, end the workers, and undo every change. The workers (`alagg.worker`) move the packets and
never wait for anything that happens here.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import logging
import os
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import sdnotify

from alagg import __version__, consistency, form
from alagg.capping import Capping
from alagg.companion import Companion
from alagg.config import ConfigError, load
from alagg.control import logs, parts
from alagg.control.events import describe
from alagg.control.loop import Loop
from alagg.control.socket import ControlServer
from alagg.crew import log_event
from alagg.engine.events import ForTrials, LinkCarried, LinkStateChanged, NameWanted
from alagg.messages import Held, HostFacts, InterfaceFacts, Reconfigure
from alagg.passing import Passing
from alagg.signals import Signals
from alagg.steering import Steering
from alagg.system import HostError
from alagg.system.journal import Journal
from alagg.system.limits import allow_descriptors
from alagg.trials import Trials
from alagg.workers import NoAnswerError, Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alagg.config import Config, Network
    from alagg.control.clients import Client
    from alagg.control.parts import Part
    from alagg.messages import Happened, Try
    from alagg.system.netlink import Interface

NEEDS_RESTART: Final = (
    "queue", "workers", "capture", "gso", "ethertype", "window", "probe_interval", "mark", "device", "control_socket",
    "control_group", "log_level", "log_format", "manage_host",
)  # fmt: skip
"""Options that a reload leaves as they are."""

LOOK_PAUSE: Final = 0.1
"""Seconds between two looks at what has happened to the host, however much it is; the first one is at once."""
CHECK_INTERVAL: Final = 2.0
"""Seconds between two checks of what changes without an event, such as the rules."""
COMPARE_INTERVAL: Final = 60.0
"""Seconds after which everything is compared with the kernel, even if it has told of nothing."""
TAKE_TIME: Final = 1.0
"""Seconds for which a reload waits for the workers."""

log = logging.getLogger(__name__)


def run(config: Config, pcap: Path | None = None) -> int:
    """Run a node until SIGTERM or SIGINT; give the exit status, 0 after an orderly end.

    Args:
        config: the valid configuration.
        pcap: a capture file for the frames of all links; None for none.

    Raises:
        HostError: the host lacks something, or refuses a change; what was done is undone.
        WorkerError: a worker cannot work or has died; the host is as it was.
        ControlError: the control socket cannot be set up.
    """
    allow_descriptors(config)
    with ExitStack() as stack:
        node = Node(config, pcap, stack)
        node.serve()
    return 0


class Node:
    """One running node."""

    def __init__(self, config: Config, pcap: Path | None, stack: ExitStack) -> None:
        """Bring everything up; what must be undone goes on the stack, in order."""
        self.config = config
        self._names = names_of(config)
        """The links' interfaces."""
        self.started = time.monotonic()
        self._stack = stack
        self._loop = Loop()
        self._told: HostFacts | None = None
        self._looked, self._compared = float("-inf"), self.started
        self._passing = Passing(self._let_go, self._loop.call_in)
        self._taken = True
        """Whether all workers went by the last configuration in time."""
        self._look_later = False
        """Whether events of the host wait for the next look."""
        journal = Journal(config.journal)
        for line in journal.acquire():
            log.warning("a node that was killed left this behind: %s", line)
        stack.callback(self._undo, journal)
        # Undone after the workers' end: until then packets come in by the device.
        after_workers = stack.enter_context(ExitStack())
        self._signals = Signals(stack)
        # Before anything is imported that only the supervisor needs.
        self._workers = Workers(config, pcap, stack)
        self._held: dict[str, list[tuple[str, str, str, str]]] = {}
        """The links that are held back, by who wants it: peer, link, state and reason."""
        self._steering = Steering(self)
        self._trials = Trials(self)
        logs.start()
        # After the fork: a worker that outlives a killed supervisor must not keep its socket open.
        self._control = ControlServer(config.control_socket, config.control_group, self._loop, self._requests())
        stack.callback(self._control.close)
        self._capping = Capping(self, config)
        stack.callback(self._capping.close)
        self._set_up_host(journal, after_workers)
        self._loop.watch(self._signals.fileno(), self._on_signal)
        self._loop.watch(self._watcher.fileno(), self._on_netlink)
        self._loop.watch(self._filters.fileno(), self._on_filters)
        self._loop.call_in(CHECK_INTERVAL, self._check)
        self._workers.serve(self._loop, self._on_events)
        self._passing.keep(config)
        self._look_names_up()
        self._loop.watch(self._resolver.fileno(), self._on_names)
        self._companion = Companion(config)
        stack.callback(self._companion.close)
        self._notifier = sdnotify.SystemdNotifier()
        self._notifier.notify("READY=1")
        log.info("alagg %s: %s", __version__, config.size)
        for line in consistency.warnings(config):
            log.warning("%s: %s", config.path, line)
        if line := form.shortfall():
            log.info(line)

    def serve(self) -> None:
        """Serve events until a signal ends the node."""
        self._loop.run()
        self._notifier.notify("STOPPING=1")

    # --- the host -------------------------------------------------------------------------------------------

    def _set_up_host(self, journal: Journal, after_workers: ExitStack) -> None:
        # Imported after the fork: the workers need none of it, and it is large.
        from alagg.system import filters, names, netlink
        from alagg.system.host import Host

        self._watcher = netlink.Watcher()
        self._stack.callback(self._watcher.close)
        self._resolver = names.Resolver()
        self._stack.callback(self._resolver.close)
        self._filters = filters.Filters()
        self._stack.callback(self._filters.close)
        self._host = Host(self.config, journal)
        after_workers.callback(self._host.close)
        self._stack.callback(self._withdraw)
        self._host.open()
        if self._host.device is None:
            log.info("manage_host = no: there is no device; injecting through raw sockets, which is slower")
        self._watcher.events()
        self._filters.look(self._interfaces())
        self._watch_routes()
        # The workers are ready before packets are led to them.
        self._tell_facts()
        self._host.set_up()

    def _on_netlink(self) -> None:
        """Look at once, but then not again for a while: a flood of events must not keep us from all else."""
        pause = self._looked + LOOK_PAUSE - time.monotonic()
        if pause <= 0:
            self._look()
        elif not self._look_later:
            self._look_later = True
            self._loop.unwatch(self._watcher.fileno())
            self._loop.call_in(pause, self._look_again)

    def _look_again(self) -> None:
        self._look_later = False
        self._loop.watch(self._watcher.fileno(), self._on_netlink)
        self._look()

    def _check(self) -> None:
        """Compare with the kernel what changes without an event; now and then, everything."""
        self._loop.call_in(CHECK_INTERVAL, self._check)
        whole = time.monotonic() >= self._compared + COMPARE_INTERVAL
        self._following(self._host.check)
        if whole:
            self._follow_host()

    def _look(self) -> None:
        if self._watcher.events():
            self._follow_host()
        self._looked = time.monotonic()

    def _on_filters(self) -> None:
        if self._filters.look(self._interfaces()):
            self._follow_host()

    def _interfaces(self) -> list[Interface]:
        """Give the links' interfaces that are there."""
        return [interface for interface in self._watcher.interfaces if interface.name in self._names]

    def _follow_host(self) -> None:
        """Tell the workers what the host looks like now; then adapt what we set up there."""
        self._tell_facts()
        self._compared = time.monotonic()
        self._following(self._host.update)

    def _following(self, work: Callable[[], None]) -> None:
        try:
            work()
        except HostError as error:
            # An interface may be gone again before we get there; traffic over the others goes on.
            self._host.upkeep.complain("follow", f"cannot follow a change of the host: {error}", time.monotonic())
        self._watch_routes()
        self._tell_facts()

    def _let_go(self, peers: frozenset[str]) -> list[str] | None:
        found: list[list[str]] = []
        self._following(lambda: found.append(self._host.let_go(peers)))
        return found[0] if found else None

    def _tell_facts(self) -> None:
        from alagg.system import detours

        facts = {one.name: _facts(one, self._filters.on(one)) for one in self._interfaces()}
        device = self._host.device
        index = device.index if device else 0
        ways = detours.find(self.config, self._resolver.names, index)
        told = HostFacts(facts, self._local(), device.name if device else "", index, ways)
        if told != self._told:
            self._told = told
            self._workers.tell(told)

    def _watch_routes(self) -> None:
        device = self._host.device
        if device is not None:
            self._watcher.watch_routes(device.index, [route.destination for route in device.layout.routes])

    def _withdraw(self) -> None:
        for line in self._host.withdraw():
            log.info("undone: %s", line)

    def _local(self) -> tuple[Network, ...]:
        addresses = sorted(self._watcher.addresses, key=lambda address: (address.version, int(address)))
        return (*(ipaddress.ip_network(address) for address in addresses), *self.config.networks)

    def _undo(self, journal: Journal) -> None:
        for line in journal.undo():
            log.info("undone: %s", line)
        for line in journal.failures:
            log.error("not undone: %s", line)

    # --- signals and clients --------------------------------------------------------------------------------

    def _on_signal(self) -> None:
        for number in self._signals.take():
            if number == signal.SIGHUP:
                self._reload()
            else:
                log.info("ending on %s", signal.Signals(number).name)
                self._loop.running = False

    def _reload(self) -> dict[str, object]:
        """Take the configuration file anew; when it is wrong, everything stays as it is. Give the client's answer."""
        self._notifier.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        answer: dict[str, object]
        before = self.config
        try:
            config = load(self.config.path)
            warnings = self._fixed(config)
            self.take(config)
        except (ConfigError, HostError) as error:
            log.error("not reloaded: %s", error)  # noqa: TRY400 - a user reads one line, not a traceback
            answer = {"error": str(error)}
            self.publish("not_reloaded", f"not reloaded: {error}")
        else:
            warnings += [*self._steering.returned(before, config), *consistency.warnings(config)]
            if not self._taken:
                warnings.append("a worker is busy, and will take the new configuration later")
            self._companion.follow(config)
            log.info("reloaded: %s", config.size)
            answer = {"ok": True, "text": config.size, "warnings": warnings}
            self.publish("reloaded", f"reloaded: {config.size}")
        self._notifier.notify("READY=1")
        return answer

    def take(self, config: Config) -> None:
        """Go over to another configuration, but for what only a restart can change.

        Raises:
            HostError: the host refuses it, and everything stays as it is.
        """
        before = self.config
        config = dataclasses.replace(config, **{key: getattr(before, key) for key in NEEDS_RESTART})
        try:
            self._host.reload(config, lambda: self._go_over(config))
        except HostError:
            if self.config is not before:
                self._go_over(before)
            raise
        self._follow_host()

    def hold(self, source: str, held: list[tuple[str, str, str, str]]) -> None:
        """Hold links back: peer, link, state and reason; those that the same source held before are free else."""
        self._held[source] = held
        self._tell_held()

    def _tell_held(self) -> None:
        self._workers.tell(Held(tuple(entry for held in self._held.values() for entry in held)))

    def try_on_link(self, message: Try) -> bool:
        """Have something tried on a link; False where the worker is busy."""
        return self._workers.try_on_link(message)

    def call_in(self, seconds: float, call: Callable[[], None]) -> None:
        """Call something later."""
        self._loop.call_in(seconds, call)

    def publish(self, kind: str, text: str, **more: object) -> None:
        """Tell those who asked for events."""
        self._control.publish({"kind": kind, "time": logs.iso_time(time.time()), "text": text, **more})

    def _go_over(self, config: Config) -> None:
        """Have the workers take another configuration, with the facts of all its interfaces."""
        self._names |= names_of(config)  # at first: what comes by new interfaces shall find the workers listening
        self._tell_facts()
        self.config, self._names = config, names_of(config)
        self._workers.tell(Reconfigure(config))
        self._steering.keep(config)
        self._capping.keep(config)
        if any(self._held.values()):  # links that are new, or others by the same name, know nothing of it
            self._tell_held()
        self._passing.keep(config)
        self._look_names_up()
        self._tell_facts()
        self._taken = self._workers.await_taken(TAKE_TIME)

    def _look_names_up(self) -> None:
        """Look the names of the peers up, and tell the workers those that are known."""
        remotes = (link.remote for link in self.config.links)
        self._resolver.keep(remote.host for remote in remotes if remote is not None and remote.ip is None)
        if self._resolver.names.found:
            self._workers.tell(self._resolver.names)

    def _on_names(self) -> None:
        self._workers.tell(self._resolver.take())
        self._tell_facts()

    def _fixed(self, new: Config) -> list[str]:
        """Say which options keep their old values, since only a restart can change them."""
        changed = [key for key in NEEDS_RESTART if getattr(new, key) != getattr(self.config, key)]
        lines = [f"{new.path}: [alagg] {key} has changed; that takes effect after a restart" for key in changed]
        for line in lines:
            log.warning("%s", line)
        return lines

    def _requests(self) -> dict[str, Callable[[Client, str], None]]:
        """Give what clients may ask, by the first word of their line."""
        return {
            "events": lambda client, _: client.subscribe(),
            "link": lambda client, text: self._steering.ask(text, client.answer),
            "ping": self._trials.ping,
            "reload": lambda client, _: client.answer(self._reload()),
            "speed": self._trials.speed,
            "status": lambda client, _: self._ask_status(client),
        }

    def _ask_status(self, client: Client) -> None:
        self._workers.tell(self._capping.used())
        self._workers.ask(lambda found: self._answer_status(client, found))

    def _answer_status(self, client: Client, found: list[list[Part]] | NoAnswerError) -> None:
        if isinstance(found, NoAnswerError):
            client.answer({"error": str(found)})
            return
        node = {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self.started, 3),
            "engine": form.engine(),
            "edges": form.edges(),
            "put_back": self._host.upkeep.told(time.monotonic()),
            "without_rules": self._host.without_rules,
            "unreachable": self._passing.names,
        }
        client.answer_text(parts.answer(found, node))

    # --- events ---------------------------------------------------------------------------------------------

    def _on_events(self, happened: Happened, worker: int) -> None:
        """Log what a worker's engine tells, and give it to those who asked for events."""
        if happened.dropped:
            log.warning("worker %d: dropped events: %d", worker, happened.dropped)
        for seconds, event in happened.events:
            if isinstance(event, NameWanted):
                self._resolver.ask(event.host)
                continue
            if isinstance(event, LinkCarried):
                self._capping.heard(event, worker)
                continue
            if isinstance(event, ForTrials):
                self._trials.heard(event)
                continue
            log_event(event, worker)
            if not worker and isinstance(event, LinkStateChanged):
                self._passing.heard(event)
            if not worker or not isinstance(event, LinkStateChanged):  # the first one tells of links
                self._control.publish(describe(event, seconds))


def names_of(config: Config) -> set[str]:
    """Give the names of the links' interfaces."""
    return {link.interface for link in config.links}


def _facts(interface: Interface, filters: str) -> InterfaceFacts:
    reason = "" if interface.carrier else "no carrier"
    if not interface.up:
        reason = "the interface is down"
    queues = filters
    if interface.qdisc != "noqueue":
        queues = f"its queueing discipline is {interface.qdisc or 'not known'}"
    return InterfaceFacts(interface.index, interface.mtu, reason, queues, interface.mac)
