"""Interfaces, addresses and routes: what the kernel says about them, and how they change.

pyroute2 is imported where it is used: it takes a tenth of a second and 16 MB that `alagg status` need not spend.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from alagg.system import HostError, routes

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
_NEW_ROUTE, _DELETED_ROUTE = 24, 25
_HEADER: Final = 16
"""Bytes of `struct nlmsghdr`; the type stands in the fifth and sixth."""


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
class RouteEvent:
    """A route has appeared or gone that leads into the node's device, or to just what that one leads to."""

    entry: routes.Entry


@dataclass(frozen=True)
class OverrunEvent:
    """More has happened than could be told: interfaces and addresses were read anew, of routes nothing is known."""


@dataclass(frozen=True)
class Place:
    """An address on an interface."""

    index: int
    address: Address
    network: Network
    """What it shares a network with; for an address between two points, the other one."""


@contextmanager
def kernel(doing: str) -> Iterator[Any]:
    """Open a connection to the kernel's routing subsystem (a pyroute2.IPRoute).

    Args:
        doing: begins the one line that tells of a refusal.

    Raises:
        HostError: the kernel refused a request; an `OSError` with its number is the cause.
    """
    from pyroute2 import IPRoute, NetlinkError  # noqa: PLC0415

    try:
        with IPRoute() as requests:
            yield requests
    except NetlinkError as error:
        raise HostError(f"{doing}: {os.strerror(error.code)}") from OSError(error.code, "netlink")
    except OSError as error:
        raise HostError(f"{doing}: {error.strerror or error}") from error


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


def places() -> list[Place]:
    """Give all addresses with their networks, be their interfaces up or down."""
    with kernel("addresses") as requests:
        return [
            Place(*found, ipaddress.ip_network(f"{prefix}/{message['prefixlen']}", strict=False))
            for message in requests.get_addr()
            if (found := _address(message)) and (prefix := message.get_attr("IFA_ADDRESS"))
        ]


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


# --- events -------------------------------------------------------------------------------------------------------


Event = LinkEvent | AddressEvent | RouteEvent | OverrunEvent


class Watcher:
    """Tells what changes about interfaces and addresses, and never misses the state that it ends in."""

    BATCH = 64
    """Messages that one call of `events` takes at most."""
    DRAIN = 16384
    """Messages that it throws away at most: more than the socket holds, unless they come as fast as they are read."""

    def __init__(self) -> None:
        from pyroute2.netlink.rtnl import (  # noqa: PLC0415
            RTMGRP_IPV4_IFADDR,
            RTMGRP_IPV4_ROUTE,
            RTMGRP_IPV6_IFADDR,
            RTMGRP_IPV6_ROUTE,
            RTMGRP_LINK,
            RTMGRP_TC,
        )
        from pyroute2.netlink.rtnl.iprsocket import MarshalRtnl  # noqa: PLC0415

        # A plain socket, not pyroute2's: that one runs an event loop of its own, and the node has one already.
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.NETLINK_ROUTE)
        routes_too = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE
        self._socket.bind((0, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_TC | routes_too))
        self._marshal = MarshalRtnl()
        self._links: dict[int, Interface] = {}
        self._addresses: set[tuple[int, Address]] = set()
        self._stale = self._overrun = False
        self._device = 0
        self._destinations: frozenset[Network] = frozenset()
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

    def watch_routes(self, device: int, destinations: Iterable[Network]) -> None:
        """Tell from now on of routes into this interface, and of others to just these destinations."""
        self._device, self._destinations = device, frozenset(destinations)

    def events(self) -> list[Event]:
        """Give what has changed since the last call, without waiting. Messages that change nothing are left out."""
        events: list[Event] = []
        for _ in range(0 if self._overrun else self.BATCH):
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                # The kernel had more to say than the socket holds, and drops all until nothing waits there any more.
                self._overrun = True
                break
            if int.from_bytes(data[4:6], sys.byteorder) in (_NEW_ROUTE, _DELETED_ROUTE):
                events += self._route(data[_HEADER:])
                continue
            for message in self._marshal.parse(data):
                # An interface's queueing discipline is one of its properties, of whose change it does not speak.
                self._stale = self._stale or message["event"] in ("RTM_NEWQDISC", "RTM_DELQDISC")
                events += self._apply(message)
        if self._overrun and self._drain():
            self._overrun, self._stale = False, True
            events.append(OverrunEvent())
        if self._stale:
            self._stale = False
            events += self._read_everything()
        return events

    def _drain(self) -> bool:
        """Throw away what waits, which a look at everything replaces; say whether nothing waits any more."""
        for _ in range(self.DRAIN):
            try:
                self._socket.recv(1 << 16)
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
        return False

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()

    def _route(self, body: bytes) -> Iterator[RouteEvent]:
        """Look at a route; by hand, since a router's host may tell of thousands in a second."""
        entry = routes.parse(body)
        if entry.interface == self._device or entry.destination in self._destinations:
            yield RouteEvent(entry)

    def _apply(self, message: Any) -> Iterable[Event]:
        event = message["event"]
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

    def _read_everything(self) -> list[Event]:
        with kernel("interfaces") as requests:
            links = [_interface(message) for message in requests.get_links()]
            addresses = _addresses(requests)
        events: list[Event] = []
        for index in self._links.keys() - {link.index for link in links}:
            events += self._set_link(self._links[index], gone=True)
        for link in links:
            events += self._set_link(link, gone=False)
        for index, address in self._addresses - addresses:
            events += self._set_address(index, address, gone=True)
        for index, address in addresses:
            events += self._set_address(index, address, gone=False)
        return events
