"""The contestants: ways to join two hosts, each in a lab of its own; they are found by name in `CONTESTANTS`."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Final

from alagg import form
from alagg.lab.topology import Lab
from bench.machine import peak_memory
from bench.tunnels import forget_wireguard_go, openvpn, wireguard_go

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import TracebackType

    from typing_extensions import Self

    from alagg.lab.host import Host

NO_OFFLOADS: Final = ("tso", "off", "gso", "off", "gro", "off")
"""As ethtool takes it, everywhere, so that frames of the MTU's size cross the links, as on a wire."""
WAKING: Final = 0.5
"""Seconds after which a node that was halted has noticed that time has passed."""


class Share(Enum):
    """How much of a contestant is measured."""

    FULL = "everything"
    SHORT = "everything, in less time"
    TCP = "TCP and memory"


class Contestant:
    """Two hosts, `lab.a` and `lab.b`, and what joins them. A new one overrides what is different about it."""

    stream: ClassVar[str] = "tcp"
    """The protocol of its byte streams, one of `bench.traffic.STREAMS`."""
    datagrams: ClassVar[bool] = True
    """Whether it carries UDP."""

    def __init__(self, title: str, links: int = 1, share: Share = Share.FULL) -> None:
        """Describe it; nothing is set up before it is entered.

        Args:
            title: what tables call it.
            links: how many links join the hosts.
            share: how much is measured.
        """
        self.title = title
        self.links = links
        self.share = share
        self.lab = Lab(links=links, direct=True)

    def __enter__(self) -> Self:
        self.lab.__enter__()
        try:
            for host in self.lab.hosts:
                for wire in self.lab.wire:
                    host.run(["ethtool", "-K", wire.interface, *NO_OFFLOADS])
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
    """Debian's wireguard-go: one link, encrypted."""

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
    share: Share = Share.TCP
    policy: int = os.SCHED_OTHER
    """How the workers are scheduled (sched(7))."""


class Alagg(Contestant):
    """Alagg on both hosts."""

    def __init__(self, scheduler: str, links: int, how: Form | None = None, *, name: str = "",
                 more_config: str = "") -> None:
        """Describe it.

        Args:
            scheduler: how packets are laid on links.
            links: how many links there are.
            how: a form other than the fastest one; on a single link only TCP is measured then.
            name: what tables call it instead of the scheduler.
            more_config: text for the end of both configuration files.
        """
        self.scheduler = scheduler
        self.how = how or Form("")
        self._more_config = more_config
        super().__init__(", ".join(filter(None, (f"alagg {name or scheduler}", self.how.title))), links,
                         self._share(how, links))

    @staticmethod
    def _share(how: Form | None, links: int) -> Share:
        if how is None:
            return Share.FULL
        return how.share if links > 1 else Share.TCP

    def set_up(self) -> None:
        """Start both nodes, and wait until each hears the other on every link."""
        self.lab.configure({"scheduler": self.scheduler, **self.how.options})
        with _environment(form.VARIABLE, self.how.pure):
            for host in self.lab.hosts:
                if self._more_config:
                    self._configure_more(host)
                host.node.start()
                for pid in host.node.processes():
                    os.sched_setscheduler(pid, self.how.policy, os.sched_param(0))
        self._await_links()

    def _configure_more(self, host: Host) -> None:
        """Add to a host's configuration; as there are more peers then, each link needs to say whose it is."""
        (peer,) = (other.letter for other in self.lab.hosts if other is not host)
        config = host.node.config.read_text(encoding="utf-8")
        config = re.sub(r"^(\[link eth\d+\])$", rf"\1\npeer = {peer}", config, flags=re.MULTILINE)
        host.node.config.write_text(config + self._more_config, encoding="utf-8")

    def processes(self, host: Host) -> list[int]:
        """Give the node's supervisor and its worker."""
        return host.node.processes()

    def wake(self) -> None:
        """Wait until the links, silent during the halt, are up again."""
        time.sleep(WAKING)
        self._await_links()

    def _await_links(self) -> None:
        real = {wire.interface for wire in self.lab.wire}
        for host in self.lab.hosts:
            host.node.wait_status(
                lambda status: all(link["state"] == "up" for link in status["links"] if link["name"] in real)
            )


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
    "plain-engine": Form("plain engine", pure="1", share=Share.SHORT),
    "plain": Form("all plain", pure="all", share=Share.SHORT),
    "no-gso": Form("gso = no", options={"gso": "no"}),
    "no-xdp": Form("xdp = no", options={"xdp": "no"}),
}
"""The forms that are measured beside the fastest one: compiled, with super-packets, sent by AF_XDP."""

QUICKER: Final = {
    "busy-poll": Form("busy_poll = 50us", options={"busy_poll": "50us"}, share=Share.SHORT),
    "batch": Form("SCHED_BATCH", share=Share.SHORT, policy=os.SCHED_BATCH),
}
"""What may shorten a round trip. With SCHED_BATCH, the two ends' workers, here on the same processors, do not preempt
each other in the middle of a round."""


def _alagg() -> dict[str, Callable[[], Contestant]]:
    """Give alagg in all its forms; first each bond at its fastest."""
    bonds: dict[str, Callable[..., Contestant]] = {
        "alagg-one-link": partial(Alagg, "redundant", 1, name="one link"),
        "alagg-redundant": partial(Alagg, "redundant", 2),
        "alagg-round-robin": partial(Alagg, "round-robin", 2),
    }
    variants = {
        f"{bond}-{name}": partial(make, how) for bond, make in bonds.items() for name, how in FORMS.items()
    }
    return {**bonds, **variants, **{f"alagg-redundant-{name}": partial(Alagg, "redundant", 2, how)
                                    for name, how in QUICKER.items()}}


CONTESTANTS: Final[dict[str, Callable[[], Contestant]]] = {
    "veth": partial(Contestant, "veth, one link"),
    "mptcp": partial(Mptcp, "kernel MPTCP", 2),
    "wireguard-go": partial(WireguardGo, "wireguard-go"),
    "openvpn": partial(Openvpn, "OpenVPN"),
    **_alagg(),
}
"""What makes each contestant, by its name, in the order in which they take turns."""
FULL: Final = tuple(name for name in CONTESTANTS if not name.startswith("alagg-one-link-"))
"""Those of a whole run; what a form costs, two links tell."""
QUICK: Final = (
    "veth", "mptcp", "wireguard-go", "openvpn", "alagg-one-link", "alagg-redundant", "alagg-round-robin",
    "alagg-redundant-plain-engine", "alagg-redundant-plain",
)
"""Those that the goals speak of."""
CEILING: Final = "veth"
"""Against its round-trip time the others' is counted."""
REFERENCE: Final = "mptcp"
"""All ratios are to this one, in the same run; where it has no figure, to the ceiling."""
