"""The contestants: ways to join two hosts, each in a lab of its own; they are found by name in `CONTESTANTS`."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from alagg import form
from alagg.lab.namespace import LabError
from alagg.lab.node import Node
from alagg.lab.topology import Lab
from bench.machine import peak_memory
from bench.tunnels import forget_wireguard_go, openvpn, wireguard_go

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType

    from typing_extensions import Self

    from alagg.lab.host import Host
    from alagg.lab.namespace import Namespace

OFFLOADS: Final = ("tso", "off", "gso", "off", "gro")
"""As ethtool takes it, everywhere, so that frames of the MTU's size cross the links, as on a wire. What comes next is
the bed: without GRO the receiver's kernel meets each frame by itself; real cards have it, and join those of TCP."""
WAKING: Final = 0.5
"""Seconds after which a node that was halted has noticed that time has passed."""


class Share(Enum):
    """How much of a contestant is measured."""

    FULL = "everything"
    TCP = "TCP and memory"


class Contestant:
    """Two hosts, `lab.a` and `lab.b`, and what joins them. A new one overrides what is different about it."""

    stream: ClassVar[str] = "tcp"
    """The protocol of its byte streams, one of `bench.traffic.STREAMS`."""
    datagrams: ClassVar[bool] = True
    """Whether it carries UDP."""

    def __init__(self, title: str, links: int = 1, *, gro: bool = False) -> None:
        """Describe it; nothing is set up before it is entered.

        Args:
            title: what tables call it.
            links: how many links join the hosts.
            gro: whether the receivers have GRO; with it only TCP, which GRO is for, is measured.
        """
        self.title = f"{title}, GRO on" if gro else title
        self.links = links
        self.share = Share.TCP if gro else Share.FULL
        self._gro = "on" if gro else "off"
        self.lab = Lab(links=links, direct=True)

    def __enter__(self) -> Self:
        self.lab.__enter__()
        try:
            for host in self.lab.hosts:
                for wire in self.lab.wire:
                    host.run(["ethtool", "-K", wire.interface, *OFFLOADS, self._gro])
            self.set_up()
            self._signal(signal.SIGSTOP)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lab.__exit__(kind, error, trace)
        self.tidy_up()

    def set_up(self) -> None:
        """Start what joins the hosts; the lab's end is its end. Until its first turn it is halted."""

    def tidy_up(self) -> None:
        """Remove what the lab's end has left; also after `set_up` has failed."""

    @property
    def address(self) -> str:
        """The address at which the second host is reached."""
        return self.lab.b.ipv4

    def processes(self, host: Host) -> list[int]:  # noqa: ARG002 - others have some
        """Give the ids of its processes on a host; none where it is all in the kernel."""
        return []

    def memory(self) -> int | None:
        """Give the bytes that its processes held at most, on the host with more of them; None without processes."""
        return max(sum(map(peak_memory, self.processes(host))) for host in self.lab.hosts) or None

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Let it work only now: what waits for its turn must not take time from the one that is measured."""
        self._signal(signal.SIGCONT)
        try:
            self.wake()
            yield
        finally:
            self._signal(signal.SIGSTOP)

    def _signal(self, number: signal.Signals) -> None:
        for host in self.lab.hosts:
            for pid in self.processes(host):
                # One that has died is found out by who needs it.
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def wake(self) -> None:
        """Wait until it works again after a halt."""

    def received(self) -> list[int]:
        """Give the bytes that the second host has received on each link."""
        paths = [f"/sys/class/net/{wire.interface}/statistics/rx_bytes" for wire in self.lab.wire]
        return [int(line) for line in self.lab.b.run(["cat", *paths]).stdout.split()]


class Mptcp(Contestant):
    """The kernel's multipath TCP with one subflow on each link."""

    stream = "mptcp"
    datagrams = False

    def set_up(self) -> None:
        """Give each further link addresses of its own, and announce the second host's as places for subflows."""
        for host, number in zip(self.lab.hosts, (1, 2), strict=True):
            host.sysctl({"net.mptcp.enabled": 1})
            host.run(["ip", "mptcp", "limits", "set", "subflows", str(self.links), "add_addr_accepted", "8"])
            host.ip(*(f"address add 10.99.{100 + wire.number}.{number}/24 dev {wire.interface}"
                      for wire in self.lab.wire[1:]))
        for wire in self.lab.wire[1:]:
            address = f"10.99.{100 + wire.number}.2"
            self.lab.b.run(["ip", "mptcp", "endpoint", "add", address, "dev", wire.interface, "signal"])


class WireguardGo(Contestant):
    """Debian's wireguard-go: one link, encrypted. It is the build of 2022, before its super-packets (GSO)."""

    def set_up(self) -> None:
        """Start a tunnel between the hosts."""
        self._tunnel = wireguard_go(self.lab)

    def tidy_up(self) -> None:
        """Remove its sockets."""
        forget_wireguard_go(self.lab)

    @property
    def address(self) -> str:
        """The address at the tunnel's other end."""
        return self._tunnel.address

    def processes(self, host: Host) -> list[int]:
        """Give the tunnel's process."""
        return self._tunnel.processes[host.letter]


class Openvpn(WireguardGo):
    """Debian's OpenVPN in user space: one link, AES-256-GCM."""

    def set_up(self) -> None:
        """Start a tunnel between the hosts."""
        self._tunnel = openvpn(self.lab)


@dataclass(frozen=True)
class Form:
    """How alagg is run."""

    title: str
    pure: str = ""
    """The value of the environment's `ALAGG_PURE`."""
    options: Mapping[str, str] = field(default_factory=dict)
    policy: int = os.SCHED_OTHER
    """How the workers are scheduled (sched(7))."""


class Alagg(Contestant):
    """Alagg on both hosts."""

    def __init__(self, scheduler: str, links: int, *, title: str = "", how: Form | None = None, gro: bool = False,
                 checkout: Path | None = None) -> None:
        """Describe it.

        Args:
            scheduler: how packets are laid on links.
            links: how many links there are.
            title: what tables call it instead of the scheduler.
            how: a form other than the fastest one; only TCP is measured then.
            gro: as for every contestant.
            checkout: another checkout of alagg, already built, that runs instead of this one.
        """
        self.scheduler = scheduler
        self.how = how or Form("")
        super().__init__(", ".join(filter(None, (f"alagg {title or scheduler}", self.how.title))), links, gro=gro)
        if how:
            self.share = Share.TCP
        if checkout:
            for host in self.lab.hosts:
                host.node = NodeElsewhere(host, host.node.config, checkout)

    def set_up(self) -> None:
        """Start both nodes, and wait until each hears the other on every link."""
        self.lab.configure({"scheduler": self.scheduler, **self.how.options})
        with _environment(form.VARIABLE, self.how.pure):
            for host in self.lab.hosts:
                host.node.start()
                for pid in host.node.processes():
                    os.sched_setscheduler(pid, self.how.policy, os.sched_param(0))
        self.lab.await_links()

    def processes(self, host: Host) -> list[int]:
        """Give the node's supervisor and its worker."""
        return host.node.processes()

    def wake(self) -> None:
        """Wait until the links, silent during the halt, are up again."""
        time.sleep(WAKING)
        self.lab.await_links()


class NodeElsewhere(Node):
    """A node of another checkout, run and asked by its own command: only that, its options and keys are the same."""

    def __init__(self, namespace: Namespace, config: Path, checkout: Path) -> None:
        super().__init__(namespace, config)
        self._checkout = checkout

    def program(self, *arguments: str) -> list[str]:
        """Give the command line of the other checkout's `alagg`."""
        # The lab's own PYTHONPATH would lead to this checkout.
        return ["env", f"PYTHONPATH={self._checkout}", str(self._checkout / ".venv/bin/alagg"), *arguments]

    def status(self) -> dict[str, Any]:
        """Give what its `alagg status --json` shows."""
        done = self.command("status", "--json")
        if done.returncode:
            raise LabError(f"{self.namespace.name}: {done.stderr.strip()}\n{self.tail()}")
        status: dict[str, Any] = json.loads(done.stdout)
        return status


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    """Set a variable for the processes that are started meanwhile; without a value, unset it."""
    before = os.environ.pop(name, None)
    if value:
        os.environ[name] = value
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before


FORMS: Final = {
    "plain-engine": Form("plain engine", pure="1"),
    "plain": Form("all plain", pure="all"),
    "no-gso": Form("gso = no", options={"gso": "no"}),
    "no-xdp": Form("xdp = no", options={"xdp": "no"}),
    "busy-poll": Form("busy_poll = 50us", options={"busy_poll": "50us"}),
    "batch": Form("SCHED_BATCH", policy=os.SCHED_BATCH),
    "device": Form("capture = device", options={"capture": "device"}),
}
"""Forms other than the fastest one, which is compiled, with super-packets, sent by AF_XDP. With SCHED_BATCH, the two
ends' workers, here on the same processors, do not preempt each other in the middle of a round."""
BONDS: Final = ("redundant", "round-robin")
GRO: Final = "-gro"
"""Ends the names of those that have GRO at the receivers."""
BEFORE: Final = "before-"
"""Begins the names of those that run another checkout."""

CONTESTANTS: Final[dict[str, Callable[[], Contestant]]] = {
    "veth": partial(Contestant, "veth, one link"),
    "mptcp": partial(Mptcp, "kernel MPTCP", 2),
    "wireguard-go": partial(WireguardGo, "wireguard-go of 2022"),
    "openvpn": partial(Openvpn, "OpenVPN"),
    "alagg-one-link": partial(Alagg, "redundant", 1, title="one link"),
    **{f"alagg-{bond}": partial(Alagg, bond, 2) for bond in BONDS},
    **{f"alagg-{bond}-{name}": partial(Alagg, bond, 2, how=how) for bond in BONDS for name, how in FORMS.items()},
    f"veth{GRO}": partial(Contestant, "veth, one link", gro=True),
    f"mptcp{GRO}": partial(Mptcp, "kernel MPTCP", 2, gro=True),
    **{f"alagg-{bond}{GRO}": partial(Alagg, bond, 2, gro=True) for bond in BONDS},
}
"""What makes each contestant, by its name, in the order in which they take turns."""
PUBLISHED: Final = (
    "veth", "mptcp", "wireguard-go", "openvpn", "alagg-one-link", "alagg-redundant", "alagg-round-robin",
    "alagg-redundant-plain-engine", "alagg-redundant-plain",
    *(name for name in CONTESTANTS if name.endswith(GRO)),
)
"""Those that the goals and the page speak of."""


def before(checkout: Path) -> dict[str, Callable[[], Contestant]]:
    """Give the contestants that run another checkout.

    Raises:
        ValueError: there is no built alagg.
    """
    if not (checkout / ".venv/bin/alagg").exists():
        raise ValueError(f"{checkout}: no built alagg; run make build there")
    return {f"{BEFORE}{bond}": partial(Alagg, bond, 2, title=f"{bond}, before", checkout=checkout.resolve())
            for bond in BONDS}
