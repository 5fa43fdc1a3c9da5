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
import select
import signal
import socket
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import sdnotify

from alagg import __version__, consistency, form
from alagg.config import ConfigError, load
from alagg.control import logs
from alagg.control.merged import merge
from alagg.control.socket import ControlServer
from alagg.messages import HostFacts, InterfaceFacts, Reconfigure
from alagg.system import HostError
from alagg.system.journal import Journal
from alagg.system.limits import allow_descriptors
from alagg.workers import NoAnswerError, Workers

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alagg.config import Config, Network
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
        self.started = time.monotonic()
        self._stack = stack
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._running = True
        self._told: HostFacts | None = None
        self._looked, self._compared = float("-inf"), self.started
        self._next_look = float("inf")
        self._next_check = self.started + CHECK_INTERVAL
        journal = Journal(config.journal)
        for line in journal.acquire():
            log.warning("a node that was killed left this behind: %s", line)
        stack.callback(self._undo, journal)
        # Undone after the workers' end: until then packets come in by the device.
        after_workers = stack.enter_context(ExitStack())
        self._signals = _Signals(stack)
        # Before anything is imported that only the supervisor needs.
        self._workers = Workers(config, pcap, stack)
        logs.start()
        # After the fork: a worker that outlives a killed supervisor must not keep its socket open.
        self._control = ControlServer(config.control_socket, config.control_group)
        stack.callback(self._control.close)
        self._set_up_host(journal, after_workers)
        self._watch(self._signals.fileno(), self._on_signal)
        self._watch(self._control.fileno(), self._on_client)
        self._watch(self._watcher.fileno(), self._on_netlink)
        self._watch(self._filters.fileno(), self._on_filters)
        for process in self._workers.processes:
            self._watch(process.fileno(), process.unasked)
        self._notifier = sdnotify.SystemdNotifier()
        self._notifier.notify("READY=1")
        log.info("alagg %s: %s", __version__, config.size)
        for line in consistency.warnings(config):
            log.warning("%s: %s", config.path, line)
        if line := form.shortfall():
            log.info(line)

    def serve(self) -> None:
        """Serve events until a signal ends the node."""
        while self._running:
            self._upkeep()
            pause = min(self._next_look, self._next_check) - time.monotonic()
            for descriptor, _ in self._poll.poll(max(pause, 0.0) * 1000):
                self._handlers[descriptor]()
        self._notifier.notify("STOPPING=1")

    def _watch(self, descriptor: int, handler: Callable[[], None]) -> None:
        self._handlers[descriptor] = handler
        self._poll.register(descriptor, select.POLLIN)

    # --- the host -------------------------------------------------------------------------------------------

    def _set_up_host(self, journal: Journal, after_workers: ExitStack) -> None:
        # Imported after the fork: the workers need none of it, and it is large.
        from alagg.system import filters, netlink
        from alagg.system.host import Host

        self._watcher = netlink.Watcher()
        self._stack.callback(self._watcher.close)
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
        now = time.monotonic()
        if self._next_look == float("inf") and now >= self._looked + LOOK_PAUSE:
            self._look()
        else:
            self._poll.unregister(self._watcher.fileno())
            self._next_look = self._looked + LOOK_PAUSE

    def _upkeep(self) -> None:
        """Do what is due by now."""
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = float("inf")
            self._poll.register(self._watcher.fileno(), select.POLLIN)
            self._look()
        if now >= self._next_check:
            self._next_check = now + CHECK_INTERVAL
            whole = now >= self._compared + COMPARE_INTERVAL
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
        names = {link.interface for link in self.config.links}
        return [interface for interface in self._watcher.interfaces if interface.name in names]

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

    def _tell_facts(self) -> None:
        facts = {one.name: _facts(one, self._filters.on(one)) for one in self._interfaces()}
        device = self._host.device
        told = HostFacts(facts, self._local(), device.name if device else "", device.index if device else 0)
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
                self._running = False

    def _reload(self) -> None:
        """Take the configuration file anew; when it is wrong, everything stays as it is."""
        self._notifier.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        before = self.config
        try:
            config = self._keep_fixed(load(self.config.path))
            self._host.reload(config, lambda: self._go_over(config))
        except (ConfigError, HostError) as error:
            if self.config is not before:
                self._go_over(before)
            log.error("not reloaded: %s", error)  # noqa: TRY400 - a user reads one line, not a traceback
        else:
            self._follow_host()
            log.info("reloaded: %s", config.size)
        self._notifier.notify("READY=1")

    def _go_over(self, config: Config) -> None:
        """Have the workers take another configuration, with the facts of all its interfaces."""
        self.config = config
        self._workers.tell(Reconfigure(config))
        self._tell_facts()

    def _keep_fixed(self, new: Config) -> Config:
        """Give the new configuration with the old values where only a restart can change them."""
        for key in NEEDS_RESTART:
            if getattr(new, key) != getattr(self.config, key):
                log.warning("%s: [alagg] %s has changed; that takes effect after a restart", new.path, key)
        return dataclasses.replace(new, **{key: getattr(self.config, key) for key in NEEDS_RESTART})

    def _on_client(self) -> None:
        self._control.serve(self._answer)

    def _answer(self, request: str) -> dict[str, object]:
        if request != "status":
            return {"error": f"unknown request {request!r}; allowed: status"}
        try:
            snapshots = self._workers.snapshots()
        except NoAnswerError as error:
            return {"error": str(error)}
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(time.monotonic() - self.started, 3),
            "engine": form.engine(),
            "edges": form.edges(),
            **merge(snapshots),
        }


class _Signals:
    """Turns signals into a readable descriptor."""

    def __init__(self, stack: ExitStack) -> None:
        """Catch SIGTERM, SIGINT and SIGHUP until the stack unwinds."""
        self._socket, writer = socket.socketpair()
        self._socket.setblocking(False)
        writer.setblocking(False)
        stack.callback(self._socket.close)
        stack.callback(writer.close)
        stack.callback(signal.set_wakeup_fd, signal.set_wakeup_fd(writer.fileno()))
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            stack.callback(signal.signal, number, signal.signal(number, lambda *_: None))

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when a signal came."""
        return self._socket.fileno()

    def take(self) -> list[int]:
        """Give the numbers of the signals that came."""
        try:
            return list(self._socket.recv(64))
        except BlockingIOError:
            return []


def _facts(interface: Interface, filters: str) -> InterfaceFacts:
    reason = "" if interface.carrier else "no carrier"
    if not interface.up:
        reason = "the interface is down"
    queues = filters
    if interface.qdisc != "noqueue":
        queues = f"its queueing discipline is {interface.qdisc or 'not known'}"
    return InterfaceFacts(interface.index, interface.mtu, reason, queues, interface.mac)
