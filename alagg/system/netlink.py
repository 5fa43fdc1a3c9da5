"""Interfaces, addresses and routes: what the kernel says about them, and how they change.

pyroute2 is imported where it is used: it takes a tenth of a second and 16 MB that `alagg status` need not spend.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from alagg.system import HostError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alagg.config import Network

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

ETHERNET: Final = 1
"""`Interface.type` of everything that carries Ethernet frames, VLAN interfaces included (ARPHRD_ETHER)."""

_IFF_UP: Final = 0x1
_IFF_LOWER_UP: Final = 0x10000
_IFA_F_NODAD: Final = 0x02
_RTN_LOCAL: Final = 2
_LINK_SCOPE: Final = 253
_PREPEND: Final = (24, 0x1 | 0x4 | 0x400)
"""RTM_NEWROUTE with NLM_F_REQUEST, ACK and CREATE (`ip route prepend`), for which pyroute2 has no word.

Without EXCL, REPLACE and APPEND a new IPv4 route comes first among its equals; IPv6 goes by the metric.
"""

IPV6_METRIC: Final = 1
"""The strongest metric that an IPv6 route can have; 0 would mean 1024."""


@dataclass(frozen=True)
class Interface:
    """One network interface as it is now."""

    index: int
    name: str
    mac: bytes
    """Its own address; empty where it has none."""
    mtu: int
    up: bool
    """Switched on by the administrator."""
    carrier: bool
    """Plugged in: the other side is there."""
    type: int
    """The hardware type (ARPHRD_…): `ETHERNET`, or something that cannot be a link."""
    qdisc: str = ""
    """Its queueing discipline, such as `fq_codel`; `noqueue` for none."""


@dataclass(frozen=True)
class LinkEvent:
    """An interface has appeared, changed, or gone."""

    interface: Interface
    gone: bool


@dataclass(frozen=True)
class AddressEvent:
    """An address has appeared on an interface, or gone from it."""

    index: int
    address: Address
    gone: bool


@dataclass(frozen=True)
class Path:
    """How the kernel would reach a destination now."""

    index: int
    """The interface that packets would leave by."""
    source: Address | None
    gateway: bool
    """A router comes first: the destination is not on the interface's own network."""
    local: bool
    """The destination is one of this host's own addresses."""


@dataclass(frozen=True)
class Route:
    """A route straight into an interface."""

    destination: Network
    source: Address | None
    """The address that local sockets take towards it; None to let the kernel choose."""
    mtu: int | None = None
    """For packets that must be smaller than the interface's MTU; None for no such limit."""


@contextmanager
def kernel(doing: str) -> Iterator[Any]:
    """Open a connection to the kernel's routing subsystem (a pyroute2.IPRoute).

    Args:
        doing: begins the one line that tells of a refusal.

    Raises:
        HostError: the kernel refused a request; an `OSError` with its number is the cause.
    """
    from pyroute2 import IPRoute, NetlinkError  # noqa: PLC0415

    with IPRoute() as requests:
        try:
            yield requests
        except NetlinkError as error:
            raise HostError(f"{doing}: {os.strerror(error.code)}") from OSError(error.code, "netlink")


def refused(error: HostError, *numbers: int) -> bool:
    """Say whether the kernel's refusal had one of these numbers."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in numbers


# --- questions ----------------------------------------------------------------------------------------------------


def interface(name: str) -> Interface | None:
    """Give an interface by its name; None when there is none."""
    try:
        with kernel(name) as requests:
            return next(map(_interface, requests.link("get", ifname=name)), None)
    except HostError as error:
        if refused(error, errno.ENODEV):
            return None
        raise


def interfaces() -> list[Interface]:
    """Give all interfaces."""
    with kernel("interfaces") as requests:
        return [_interface(message) for message in requests.get_links()]


def local_addresses() -> set[Address]:
    """Give all addresses of this host that a peer may send to: those of `lo` itself (127.0.0.1, ::1) are none."""
    with kernel("addresses") as requests:
        return {address for _, address in _addresses(requests) if not address.is_loopback}


def path(destination: Address, index: int | None = None) -> Path | None:
    """Give the way that packets to a destination take now; None when there is no way.

    Args:
        index: look only at ways through this interface.
    """
    through = {} if index is None else {"oif": index}
    try:
        with kernel(f"route to {destination}") as requests:
            message = next(iter(requests.route("get", dst=str(destination), **through)))
    except HostError:
        return None
    source = message.get_attr("RTA_PREFSRC")
    return Path(
        index=message.get_attr("RTA_OIF") or 0,
        source=ipaddress.ip_address(source) if source else None,
        gateway=bool(message.get_attr("RTA_GATEWAY") or message.get_attr("RTA_VIA")),
        local=message["type"] == _RTN_LOCAL,
    )


def source_address(destination: Address) -> Address | None:
    """Give the address that the kernel would put into packets to a destination now; None when it has no route."""
    found = path(destination)
    return found.source if found else None


def neighbour_address(destination: Address, except_on: int = 0) -> Address | None:
    """Give an address of this host that shares a network with the destination, be its interface up or down.

    Args:
        except_on: an interface whose addresses do not count.
    """
    with kernel("addresses") as requests:
        for message in requests.get_addr():
            found = _address(message)
            prefix = message.get_attr("IFA_ADDRESS")
            if found is None or prefix is None or found[0] == except_on or found[1].version != destination.version:
                continue
            if destination in ipaddress.ip_network(f"{prefix}/{message['prefixlen']}", strict=False):
                return found[1]
    return None


def _interface(message: Any) -> Interface:
    return Interface(
        index=message["index"],
        name=message.get_attr("IFLA_IFNAME"),
        mac=bytes.fromhex((message.get_attr("IFLA_ADDRESS") or "").replace(":", "")),
        mtu=message.get_attr("IFLA_MTU"),
        up=bool(message["flags"] & _IFF_UP),
        carrier=bool(message["flags"] & _IFF_LOWER_UP),
        type=message["ifi_type"],
        qdisc=message.get_attr("IFLA_QDISC") or "",
    )


def _addresses(requests: Any) -> set[tuple[int, Address]]:
    found = (_address(message) for message in requests.get_addr())
    return {one for one in found if one is not None}


def _address(message: Any) -> tuple[int, Address] | None:
    text = message.get_attr("IFA_LOCAL") or message.get_attr("IFA_ADDRESS")
    return (message["index"], ipaddress.ip_address(text)) if text else None


# --- changes ------------------------------------------------------------------------------------------------------


def set_link(index: int, **settings: object) -> None:
    """Change an interface: `mtu = …`, `state = "up"`."""
    with kernel(f"interface {index}: {settings}") as requests:
        requests.link("set", index=index, **settings)


def delete_link(index: int) -> None:
    """Delete an interface; it does not matter when it is gone."""
    try:
        with kernel(f"interface {index}: delete") as requests:
            requests.link("del", index=index)
    except HostError as error:
        if not refused(error, errno.ENODEV):
            raise


def add_address(index: int, address: Address) -> None:
    """Give an interface one more address, alone in its prefix and usable at once (no duplicate detection)."""
    flags = {"flags": _IFA_F_NODAD} if address.version == 6 else {}
    try:
        with kernel(f"address {address}") as requests:
            requests.addr("add", index=index, address=str(address), prefixlen=address.max_prefixlen, **flags)
    except HostError as error:
        if not refused(error, errno.EEXIST):
            raise


def delete_address(index: int, address: Address) -> None:
    """Take an address from an interface; it does not matter when it is gone."""
    try:
        with kernel(f"address {address}") as requests:
            requests.addr("del", index=index, address=str(address), prefixlen=address.max_prefixlen)
    except HostError as error:
        if not refused(error, errno.EADDRNOTAVAIL, errno.ENODEV):
            raise


def add_route(index: int, route: Route) -> None:
    """Add a route that takes precedence over those that are there, and leaves them in place."""
    _route(_PREPEND, index, route, errno.EEXIST)


def replace_route(index: int, route: Route) -> None:
    """Change the source or MTU of a route that `add_route` made, without a moment when there is none."""
    _route("replace", index, route)


def delete_route(index: int, route: Route) -> None:
    """Delete a route that `add_route` made; it does not matter when it is gone."""
    _route("del", index, route, errno.ESRCH, errno.ENODEV)


def _route(command: str | tuple[int, int], index: int, route: Route, *harmless: int) -> None:
    wanted: dict[str, object] = {"dst": str(route.destination), "oif": index, "proto": "static", "type": "unicast"}
    if route.source:
        wanted["prefsrc"] = str(route.source)
    if route.destination.version == 6:
        wanted |= {"family": socket.AF_INET6, "priority": IPV6_METRIC}
    else:
        wanted["scope"] = _LINK_SCOPE
    if command != "del" and route.mtu:
        wanted["metrics"] = _metrics(route.destination, route.mtu)
    try:
        with kernel(f"route to {route.destination}") as requests:
            requests.route(command, **wanted)
    except HostError as error:
        if not refused(error, *harmless):
            raise


def _metrics(destination: Network, mtu: int) -> dict[str, int]:
    # IPv6 knows no MTU below 1280 (RFC 8200, section 5), but TCP can be told to send less: 40 + 20 bytes of headers.
    return {"mtu": mtu} if destination.version == 4 else {"advmss": mtu - 60}


# --- events -------------------------------------------------------------------------------------------------------


class Watcher:
    """Tells what changes about interfaces and addresses, and never misses the state that it ends in."""

    BATCH = 64
    """Messages that one call of `events` takes at most."""

    def __init__(self) -> None:
        from pyroute2.netlink.rtnl import (  # noqa: PLC0415
            RTMGRP_IPV4_IFADDR,
            RTMGRP_IPV6_IFADDR,
            RTMGRP_LINK,
            RTMGRP_TC,
        )
        from pyroute2.netlink.rtnl.iprsocket import MarshalRtnl  # noqa: PLC0415

        # A plain socket, not pyroute2's: that one runs an event loop of its own, and the node has one already.
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        self._socket.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_TC))
        self._marshal = MarshalRtnl()
        self._links: dict[int, Interface] = {}
        self._addresses: set[tuple[int, Address]] = set()
        self._read_everything()

    @property
    def interfaces(self) -> list[Interface]:
        """All interfaces, as of the last call of `events`."""
        return list(self._links.values())

    @property
    def addresses(self) -> set[Address]:
        """All addresses that a peer may send to, as of the last call of `events` (see `local_addresses`)."""
        return {address for _, address in self._addresses if not address.is_loopback}

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when there are events."""
        return self._socket.fileno()

    def events(self) -> list[LinkEvent | AddressEvent]:
        """Give what has changed since the last call, without waiting. Messages that change nothing are left out."""
        events: list[LinkEvent | AddressEvent] = []
        for _ in range(self.BATCH):
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # The kernel had more to say than the socket holds, and dropped some of it.
                events += self._read_everything()
                continue
            for message in self._marshal.parse(data):
                events += self._apply(message)
        return events

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()

    def _apply(self, message: Any) -> Iterable[LinkEvent | AddressEvent]:
        event = message["event"]
        if event in ("RTM_NEWQDISC", "RTM_DELQDISC"):
            # An interface's queueing discipline is one of its properties, of whose change it does not speak.
            return self._read_everything()
        if event in ("RTM_NEWADDR", "RTM_DELADDR"):
            found = _address(message)
            return self._set_address(*found, gone=event == "RTM_DELADDR") if found else ()
        # A bridge speaks about its ports in the same words, with a family of its own; wireless news have no MTU.
        if event in ("RTM_NEWLINK", "RTM_DELLINK") and message["family"] == 0 and message.get_attr("IFLA_MTU"):
            return self._set_link(_interface(message), gone=event == "RTM_DELLINK")
        return ()

    def _set_link(self, link: Interface, *, gone: bool) -> Iterator[LinkEvent]:
        before = self._links.get(link.index)
        if gone:
            if self._links.pop(link.index, None):
                yield LinkEvent(link, gone=True)
            return
        if before == link:
            return
        if before and before.name != link.name:
            yield LinkEvent(before, gone=True)
        self._links[link.index] = link
        yield LinkEvent(link, gone=False)

    def _set_address(self, index: int, address: Address, *, gone: bool) -> Iterator[AddressEvent]:
        if ((index, address) in self._addresses) != gone:
            return
        (self._addresses.discard if gone else self._addresses.add)((index, address))
        yield AddressEvent(index, address, gone)

    def _read_everything(self) -> list[LinkEvent | AddressEvent]:
        with kernel("interfaces") as requests:
            links = [_interface(message) for message in requests.get_links()]
            addresses = _addresses(requests)
        events: list[LinkEvent | AddressEvent] = []
        for index in self._links.keys() - {link.index for link in links}:
            events += self._set_link(self._links[index], gone=True)
        for link in links:
            events += self._set_link(link, gone=False)
        for index, address in self._addresses - addresses:
            events += self._set_address(index, address, gone=True)
        for index, address in addresses:
            events += self._set_address(index, address, gone=False)
        return events
