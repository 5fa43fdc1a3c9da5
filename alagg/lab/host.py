"""A host of the lab: its namespace, its addresses, its interfaces, its node, and the traffic that it sends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from alagg.lab import measure
from alagg.lab.namespace import LabError, Namespace
from alagg.lab.node import Node

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from alagg.lab.measure import Family, Sizes, Stream, Transfer


class Host(Namespace):
    """One host. What an administrator would configure on it (addresses, routes) comes back with its interfaces."""

    def __init__(self, name: str, *, letter: str, ipv4: str, ipv6: str, config: Path) -> None:
        super().__init__(name)
        self.letter = letter
        self.ipv4 = ipv4
        self.ipv6 = ipv6
        self.addresses: dict[str, list[str]] = {}
        """Addresses with their prefix length, by interface."""
        self.routes: dict[str, list[str]] = {}
        """Routes as `ip route` takes them, by interface."""
        self.node = Node(self, config)

    def address(self, family: Family) -> str:
        """Give the address at which applications reach this host."""
        return self.ipv4 if family == 4 else self.ipv6

    def mac(self, number: int) -> str:
        """Give the MAC address of the interface on a link."""
        return f"02:00:00:00:{ord(self.letter):02x}:{number:02x}"

    def link_down(self, number: int) -> None:
        """Take the interface on a link down, as `ip link set eth0 down` does."""
        self.ip(f"link set eth{number} down")

    def link_up(self, number: int) -> None:
        """Bring the interface on a link up, with its addresses and routes (the kernel forgets some when down)."""
        self.interface_up(f"eth{number}")

    def interface_up(self, interface: str) -> None:
        """Bring an interface up, with its addresses and routes."""
        self.ip(
            f"link set {interface} up",
            *(f"address replace {address} dev {interface} nodad" for address in self.addresses.get(interface, ())),
            *(f"route replace {route} dev {interface}" for route in self.routes.get(interface, ())),
        )

    def await_reach(self, target: Host, *, family: Family = 4, timeout: float = 10) -> None:
        """Wait until pings to another host are answered, for example after a link came back.

        Raises:
            LabError: none was within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if measure.ping(self, target, count=3, interval=0.02, family=family, grace=0.1).result().received:
                return
        raise LabError(f"{self.name} does not reach {target.address(family)} within {timeout:g} s")

    # --- traffic: each of these has a twin in `alagg.lab.measure` that does not wait --------------------------------

    def ping(
        self, target: Host, *, count: int = 100, interval: float = 0.01, size: int = 56, family: Family = 4
    ) -> Stream:
        """Send ICMP echo requests and wait for the result."""
        return measure.ping(self, target, count=count, interval=interval, size=size, family=family).result()

    def messages(
        self, target: Host, *, count: int = 100, interval: float = 0.01, size: int = 64, family: Family = 4,
        protocol: str = "udp",
    ) -> Stream:
        """Exchange messages with a program that echoes them and wait for the result."""
        return measure.messages(
            self, target, count=count, interval=interval, size=size, family=family, protocol=protocol
        ).result()

    def stream(
        self, target: Host, *, count: int = 100, interval: float = 0.01, size: int = 1000, family: Family = 4
    ) -> Stream:
        """Send UDP datagrams one way and wait for the result."""
        return measure.stream(self, target, count=count, interval=interval, size=size, family=family).result()

    def transfer(self, target: Host, *, size: int, family: Family = 4, rate: float = 0) -> Transfer:
        """Send bytes over TCP and wait for the result."""
        return measure.transfer(self, target, size=size, family=family, rate=rate).result()

    def sizes(self, target: Host, wanted: Sequence[int], *, family: Family = 4, protocol: str = "udp") -> Sizes:
        """Exchange one message of each size and wait for the result."""
        return measure.sizes(self, target, wanted, family=family, protocol=protocol).result()
