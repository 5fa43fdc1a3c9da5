"""Node: the supervisor around the workers. It looks after the host, the control socket and the signals.

In the order of a node's life: take the journal (and undo what a crashed node left), start the workers, set the
host up, tell the workers what the host looks like, say that we are ready; then serve events until a signal ends it,
and undo every change. The workers (`alagg.worker`) move the packets and never wait for anything that happens here.
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
        journal = Journal(config.journal)
        for line in journal.acquire():
            log.warning("a node that was killed left this behind: %s", line)
        stack.callback(self._undo, journal)
        self._signals = _Signals(stack)
        # Before anything is imported that only the supervisor needs.
        self._workers = Workers(config, pcap, stack)
        logs.start()
        # After the fork: a worker that outlives a killed supervisor must not keep its socket open.
        self._control = ControlServer(config.control_socket, config.control_group)
        stack.callback(self._control.close)
        self._set_up_host(journal)
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
            for descriptor, _ in self._poll.poll():
                self._handlers[descriptor]()
        self._notifier.notify("STOPPING=1")

    def _watch(self, descriptor: int, handler: Callable[[], None]) -> None:
        self._handlers[descriptor] = handler
        self._poll.register(descriptor, select.POLLIN)

    # --- the host -------------------------------------------------------------------------------------------

    def _set_up_host(self, journal: Journal) -> None:
        # Imported after the fork: the workers need none of it, and it is large.
        from alagg.system import filters, netlink
        from alagg.system.host import Host

        self._watcher = netlink.Watcher()
        self._stack.callback(self._watcher.close)
        self._filters = filters.Filters()
        self._stack.callback(self._filters.close)
        self._host = Host(self.config, journal)
        self._stack.callback(self._host.tear_down)
        self._host.set_up()
        if self._host.device is None:
            log.info("manage_host = no: there is no device; injecting through raw sockets, which is slower")
        self._watcher.events()
        self._filters.look(self._interfaces())
        self._follow_host()

    def _on_netlink(self) -> None:
        if self._watcher.events():
            self._follow_host()

    def _on_filters(self) -> None:
        if self._filters.look(self._interfaces()):
            self._follow_host()

    def _interfaces(self) -> list[Interface]:
        """Give the links' interfaces that are there."""
        names = {link.interface for link in self.config.links}
        return [interface for interface in self._watcher.interfaces if interface.name in names]

    def _follow_host(self) -> None:
        """Tell the workers what the host looks like now; then adapt what we set up there."""
        interfaces = self._interfaces()
        facts = {interface.name: _facts(interface, self._filters.on(interface)) for interface in interfaces}
        device = self._host.device.name if self._host.device else ""
        self._workers.tell(HostFacts(facts, self._local(), device))
        try:
            self._host.update(interfaces)
        except HostError as error:
            # An interface may be gone again before we get there; traffic over the others goes on.
            log.error("cannot follow a change of the host: %s", error)  # noqa: TRY400 - a line, not a traceback

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
        try:
            config = self._keep_fixed(load(self.config.path))
            self._host.reload(config)
        except (ConfigError, HostError) as error:
            log.error("not reloaded: %s", error)  # noqa: TRY400 - a user reads one line, not a traceback
        else:
            self.config = config
            self._workers.tell(Reconfigure(config))
            self._follow_host()
            log.info("reloaded: %s", config.size)
        self._notifier.notify("READY=1")

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
