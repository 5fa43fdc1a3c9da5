"""The contestants: ways to join two hosts, each in a lab of its own; they are found by name in `CONTESTANTS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

NO_OFFLOADS: Final = ("tso", "off", "gso", "off", "gro", "off")
"""As ethtool takes it, everywhere, so that frames of the MTU's size cross the links, as on a wire."""


class Contestant:
    """Two hosts, `lab.a` and `lab.b`, and what joins them. A new one overrides what is different about it."""

    title: ClassVar[str]
    links: ClassVar[int] = 2
    stream: ClassVar[str] = "tcp"
    """The protocol of its byte streams, one of `bench.traffic.STREAMS`."""
    datagrams: ClassVar[bool] = True
    """Whether it carries UDP."""

    def __init__(self) -> None:
        self.lab = Lab(links=self.links, direct=True)

    def __enter__(self) -> Self:
        self.lab.__enter__()
        try:
            for host in self.lab.hosts:
                for wire in self.lab.wire:
                    host.run(["ethtool", "-K", wire.interface, *NO_OFFLOADS])
            self.set_up()
        except BaseException:
            self.lab.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.lab.__exit__(kind, error, trace)

    def set_up(self) -> None:
        """Start what joins the hosts; the lab's end is its end."""

    @property
    def address(self) -> str:
        """The address at which the second host is reached."""
        return self.lab.b.ipv4

    def memory(self) -> int | None:
        """Give the bytes that its processes hold on both hosts; None where it is all in the kernel."""
        return None

    def received(self) -> list[int]:
        """Give the bytes that the second host has received on each link."""
        paths = [f"/sys/class/net/{wire.interface}/statistics/rx_bytes" for wire in self.lab.wire]
        return [int(line) for line in self.lab.b.run(["cat", *paths]).stdout.split()]


class Veth(Contestant):
    """The bare link: nothing can be faster."""

    title = "veth, one link"
    links = 1


class Mptcp(Contestant):
    """The kernel's multipath TCP with one subflow on each link."""

    title = "kernel MPTCP"
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


class AlaggRedundant(Contestant):
    """Alagg on both hosts, every packet on every link."""

    title = "alagg redundant"

    def set_up(self) -> None:
        """Start both nodes, and wait until each hears the other on every link."""
        self.lab.start_nodes({"scheduler": "redundant"})
        for host in self.lab.hosts:
            host.node.wait_status(lambda status: all(link["state"] == "up" for link in status["links"]))

    def memory(self) -> int | None:
        """Give the bytes that both nodes hold."""
        return sum(host.node.memory() for host in self.lab.hosts)


CONTESTANTS: Final[dict[str, type[Contestant]]] = {
    "veth": Veth,
    "mptcp": Mptcp,
    "alagg-redundant": AlaggRedundant,
}
"""Every contestant by its name, in the order in which they take turns."""
CEILING: Final = "veth"
"""Against its round-trip time the others' is counted."""
REFERENCE: Final = "mptcp"
"""All ratios are to this one, in the same run; where it has no figure, to the ceiling."""
