"""The lab's network: two hosts, the links between them, and on demand a LAN behind each.

::

     namespace alagg-PID-1-a                                                   namespace alagg-PID-1-b
    +------------------------+                                                +------------------------+
    |  10.99.0.1    fd99::1  |          namespace alagg-PID-1-wire            |  10.99.0.2    fd99::2  |
    |          on eth0: eth0-+----- a0 ------- wire[0] ------------- b0 ------+-eth0 :on eth0          |
    |                   eth1-+----- a1 ------- wire[1] ------------- b1 ------+-eth1                   |
    |   lan0 (with lans)     |          (cable, or the emulator)              |   lan0 (with lans)     |
    +----+-------------------+                                                +----+-------------------+
         | 10.98.1.1  fd98:1::1                                                    | 10.98.2.1  fd98:2::1
         | 10.98.1.2  fd98:1::2                                                    | 10.98.2.2  fd98:2::2
    +----+-------------------+                                                +----+-------------------+
    |  eth0        lab.lan_a |                                                |  eth0        lab.lan_b |
    +------------------------+                                                +------------------------+

The addresses that applications use sit on eth0, one of the links: the most natural place, and the hardest case,
since without alagg everything depends on that one link.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alagg.lab.host import Host
from alagg.lab.namespace import Namespace, require_root, sweep
from alagg.lab.wire import Cable, EmulatedWire, LinkSpec, Wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import FrameType, TracebackType

    from typing_extensions import Self

_serials: Final = itertools.count(1)


class Lab:
    """Builds the network when entered and removes every trace of it when left, also after an error or a signal.

    Args:
        links: how many links, or how each of them is made.
        emulated: every link passes through the link emulator, so that `wire[n].set(loss=0.2)` works; it carries
            some ten thousand frames a second. Otherwise the kernel patches the links, near the speed of a wire.
        direct: every link is a bare veth pair from host to host; faster still, for benchmarks, but it cannot be
            unplugged.
        lans: both hosts are gateways, and behind each there is one more host (`lan_a`, `lan_b`).
        seed: what the emulators draw from; the same seed gives the same faults for the same frames.
    """

    def __init__(
        self, links: int | Sequence[LinkSpec] = 2, *, emulated: bool = False, direct: bool = False,
        lans: bool = False, seed: int = 1,
    ) -> None:
        if emulated and direct:
            raise ValueError("a lab is emulated or direct, not both")
        self.specs = tuple(LinkSpec() for _ in range(links)) if isinstance(links, int) else tuple(links)
        self.directory = Path(tempfile.gettempdir()) / f"alagg-{os.getpid()}-{next(_serials)}"
        self.a = self._host("a", 1)
        self.b = self._host("b", 2)
        self.lan_a = self._lan_host("a", 1)
        self.lan_b = self._lan_host("b", 2)
        self.middle = Namespace(f"{self.directory.name}-wire")
        self.wire = [self._wire(number, spec, emulated, direct, seed) for number, spec in enumerate(self.specs)]
        self._lans = lans
        self._undo = ExitStack()

    @property
    def hosts(self) -> tuple[Host, Host]:
        """The two hosts that the links join."""
        return self.a, self.b

    def __enter__(self) -> Self:
        require_root()
        sweep()
        _sweep_directories()
        with ExitStack() as undo:
            undo.enter_context(_TerminationRaises())
            self._build(undo)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def start_nodes(self, options: Mapping[str, Any] | None = None) -> None:
        """Configure both nodes and start them at the same time; both are ready on return.

        Args:
            options: keys of the section `[alagg]` and their values.
        """
        self.configure(options)
        self.begin_nodes()

    def begin_nodes(self) -> None:
        """Start both nodes at the same time, as they are configured; both are ready on return."""
        for host in self.hosts:
            host.node.begin()
        for host in self.hosts:
            host.node.await_ready()

    def await_links(self, *states: str, timeout: float = 10) -> None:
        """Wait until both nodes see every link in one of some states; by default "up": the other was heard on it."""
        wanted = states or ("up",)
        for host in self.hosts:
            host.node.wait_status(
                lambda status: all(link["state"] in wanted for link in status["links"]), timeout=timeout
            )

    def stop_nodes(self) -> None:
        """End the nodes that run, at the same time."""
        running = [host.node for host in self.hosts if host.node.running]
        for node in running:
            node.terminate()
        for node in running:
            node.await_end()

    def configure(self, options: Mapping[str, Any] | None = None) -> None:
        """Write the configuration files of both nodes."""
        for host, peer in (self.hosts, self.hosts[::-1]):
            host.node.config.write_text(self.config(host, peer, options or {}), encoding="utf-8")

    def config(self, host: Host, peer: Host, options: Mapping[str, Any]) -> str:
        """Give the text of a host's configuration file."""
        node = {"control_socket": host.node.socket, **self._gateway_options(host), **options}
        networks = self._networks(peer) if self._lans else []
        sections = [
            "[alagg]", *(f"{key} = {value}" for key, value in node.items()),
            f"[peer {peer.letter}]", f"destinations = {', '.join([peer.ipv4, peer.ipv6, *networks])}",
        ]
        for wire in self.wire:
            name, mac = wire.interface, peer.mac(wire.number)
            sections += [f"[link {name}]", f"interface = {name}", f"mac = {mac}"]
        return "\n".join(sections) + "\n"

    def _gateway_options(self, host: Host) -> dict[str, str]:
        if not self._lans:
            return {}
        return {"chains": "OUTPUT, FORWARD", "networks": ", ".join(self._networks(host))}

    # --- building -------------------------------------------------------------------------------------------------

    def _host(self, letter: str, number: int) -> Host:
        host = Host(
            f"{self.directory.name}-{letter}", letter=letter, ipv4=f"10.99.0.{number}", ipv6=f"fd99::{number}",
            config=self.directory / f"{letter}.cfg",
        )
        host.addresses["eth0"] = [f"{host.ipv4}/24", f"{host.ipv6}/64"]
        return host

    def _lan_host(self, letter: str, number: int) -> Host:
        host = Host(
            f"{self.directory.name}-lan-{letter}", letter=letter.upper(), ipv4=f"10.98.{number}.2",
            ipv6=f"fd98:{number}::2", config=self.directory / f"lan-{letter}.cfg",
        )
        host.addresses["eth0"] = [f"{host.ipv4}/24", f"{host.ipv6}/64"]
        host.routes["eth0"] = [f"default via 10.98.{number}.1", f"default via fd98:{number}::1"]
        return host

    def _networks(self, host: Host) -> list[str]:
        number = self.hosts.index(host) + 1
        return [f"10.98.{number}.0/24", f"fd98:{number}::/64"]

    def _wire(self, number: int, spec: LinkSpec, emulated: bool, direct: bool, seed: int) -> Wire:  # noqa: FBT001
        if direct:
            return Wire(number, spec, self.hosts)
        if emulated:
            return EmulatedWire(number, spec, self.hosts, self.middle, seed + number)
        return Cable(number, spec, self.hosts, self.middle)

    def _build(self, undo: ExitStack) -> None:
        self.directory.mkdir(mode=0o700)
        undo.callback(shutil.rmtree, self.directory, ignore_errors=True)
        namespaces = [*self.hosts, self.middle, *((self.lan_a, self.lan_b) if self._lans else ())]
        for namespace in namespaces:
            undo.callback(namespace.remove)
            namespace.create()
        self.middle.sysctl({"net.ipv6.conf.default.disable_ipv6": 1})
        if self._lans:
            self._build_lans()
        for wire in self.wire:
            undo.callback(wire.destroy)
            wire.create()
        undo.callback(self._close_nodes)

    def _build_lans(self) -> None:
        for host, lan, peer in ((self.a, self.lan_a, self.b), (self.b, self.lan_b, self.a)):
            number = self.hosts.index(host) + 1
            host.sysctl({"net.ipv4.ip_forward": 1, "net.ipv6.conf.all.forwarding": 1})
            host.ip(f"link add lan0 type veth peer name eth0 netns {lan.name}")
            host.addresses["lan0"] = [f"10.98.{number}.1/24", f"fd98:{number}::1/64"]
            host.routes["eth0"] = [
                f"{network} via {peer.ipv6 if ':' in network else peer.ipv4}" for network in self._networks(peer)
            ]
            host.interface_up("lan0")
            lan.interface_up("eth0")

    def _close_nodes(self) -> None:
        for host in self.hosts:
            host.node.close()


class _TerminationRaises:
    """Turns SIGTERM into SystemExit, so that a lab is taken down in order; leaves a handler of others alone."""

    def __enter__(self) -> None:
        main = threading.current_thread() is threading.main_thread()
        self._ours = main and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
        if self._ours:
            signal.signal(signal.SIGTERM, self._raise)

    def __exit__(self, *_: object) -> None:
        if self._ours:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @staticmethod
    def _raise(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)


def _sweep_directories() -> None:
    for path in Path(tempfile.gettempdir()).glob("alagg-[0-9]*-[0-9]*"):
        if not Path(f"/proc/{path.name.split('-')[1]}").exists():
            shutil.rmtree(path, ignore_errors=True)
