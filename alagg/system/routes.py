"""Routes: many of them changed in one go, and what the kernel answers about them, straight from its netlink.

A thousand routes take milliseconds this way, a second by pyroute2's objects. The layouts are those of rtnetlink(7).
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg.system import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from alagg.config import Network
    from alagg.system.netlink import Address

_HEADER: Final = struct.Struct("=IHHII")
"""`struct nlmsghdr`: length, type, flags, number, port."""
_ROUTE: Final = struct.Struct("=8BI")
"""`struct rtmsg`: family, lengths of destination and source, TOS, table, protocol, scope, type, flags."""
_ATTRIBUTE: Final = struct.Struct("=HH")

_ERROR, _DONE = 2, 3
NEW, _DELETE, _GET = 24, 25, 26
_REQUEST, _ACK, _REPLACE, _CREATE, _DUMP = 0x1, 0x4, 0x100, 0x400, 0x300
_ADD: Final = _REQUEST | _ACK | _CREATE
"""Without EXCL, REPLACE and APPEND a new IPv4 route comes first among its equals; IPv6 goes by the metric."""

_TO, _FROM, _OIF, _GATEWAY, _PRIORITY, _PREFSRC, _METRICS, _MULTIPATH, _TABLE, _VIA = 1, 2, 4, 5, 6, 7, 8, 9, 15, 18
_METRIC_MTU, _METRIC_MSS = 2, 8
_MAIN, _STATIC, _UNICAST, LOCAL = 254, 4, 1, 2
_LINK_SCOPE: Final = 253
_FIB_MATCH: Final = {4: 0x3000, 6: 0x2000}  # RTM_F_FIB_MATCH, and RTM_F_LOOKUP_TABLE: IPv6 tells it unasked
_NETLINK, _STRICT = 270, 12
_AT_ONCE: Final = 64
"""Requests for which one reading of answers is made: as many answers fit any socket."""

IPV6_METRIC: Final = 1
"""The strongest metric that an IPv6 route can have; 0 would mean 1024."""


@dataclass(frozen=True)
class Route:
    """A route straight into an interface."""

    destination: Network
    source: Address | None
    """The address that local sockets take towards it; None to let the kernel choose."""
    mtu: int | None = None
    """For packets that must be smaller than the interface's MTU; None for no such limit."""


class Entry(NamedTuple):
    """What the kernel says of one route."""

    destination: Network
    interface: int
    """The index of the interface that it leads to; of several the first one."""
    kind: int
    """Its type; `LOCAL` for an address of this host."""
    source: Address | None
    mtu: int | None
    """As in `Route`."""
    metric: int
    table: int


def add(index: int, routes: Sequence[Route]) -> None:
    """Add routes that take precedence over those that are there, and leave them in place.

    Raises:
        HostError: the kernel refused one; the others are there.
    """
    _change(NEW, _ADD, index, routes, errno.EEXIST)


def replace(index: int, routes: Sequence[Route]) -> None:
    """Put routes into the places of the first ones to the same destinations, without a moment when there is none."""
    _change(NEW, _REQUEST | _ACK | _CREATE | _REPLACE, index, routes)


def delete(index: int, routes: Sequence[Route]) -> None:
    """Delete routes that `add` made; those that are gone do not matter."""
    _change(_DELETE, _REQUEST | _ACK, index, routes, errno.ESRCH, errno.ENODEV, errno.ENETUNREACH)


def present(index: int) -> dict[Network, Route]:
    """Give the routes that lead straight into an interface, as `add` makes them."""
    with _connected() as connection:
        return {
            entry.destination: Route(entry.destination, entry.source, entry.mtu)
            for family in (socket.AF_INET, socket.AF_INET6)
            for entry in _dump(connection, family, index)
            if entry.interface == index and entry.table == _MAIN and entry.metric == _metric(family)
        }


class Questions:
    """Asks the kernel how it would reach addresses; to be closed."""

    def __init__(self) -> None:
        self._socket = _connected()

    def close(self) -> None:
        """Give the descriptor back."""
        self._socket.close()

    def match(self, target: Address, index: int = 0, source: Address | None = None) -> Entry | None:
        """Give the route that packets to an address take now; None when there is no way.

        Args:
            target: the address.
            index: look only at routes through this interface; 0 for all.
            source: the address of this host that they come from; None where none is chosen yet.
        """
        return self._ask(target, index, _FIB_MATCH[target.version], source)

    def source(self, target: Address, index: int = 0) -> Address | None:
        """Give the address that the kernel would put into packets to another one."""
        answer = self._ask(target, index, 0)
        return answer.source if answer else None

    def _ask(self, target: Address, index: int, flags: int, source: Address | None = None) -> Entry | None:
        length = source.max_prefixlen if source else 0
        body = _ROUTE.pack(_family(target.version), target.max_prefixlen, length, 0, 0, 0, 0, 0, flags)
        body += _attribute(_TO, target.packed) + (_attribute(_FROM, source.packed) if source else b"")
        body += _attribute(_OIF, struct.pack("=I", index)) if index else b""
        self._socket.send(_message(_GET, _REQUEST, body))
        for kind, answer in _messages(self._socket.recv(1 << 16)):
            if kind == NEW:
                return parse(answer)
        return None


def parse(body: bytes) -> Entry:
    """Give what a message about a route says, from its `struct rtmsg` on."""
    family, length, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(body)
    width = 4 if family == socket.AF_INET else 16
    index = metric = 0
    to, source, mtu = bytes(width), None, None
    for name, value in _attributes(body[_ROUTE.size :]):
        if name == _TO:
            to = value
        elif name == _OIF:
            index = int.from_bytes(value, sys.byteorder)
        elif name == _MULTIPATH and len(value) >= 8:  # struct rtnexthop: its last word
            index = index or int.from_bytes(value[4:8], sys.byteorder)
        elif name == _PREFSRC:
            source = ipaddress.ip_address(value)
        elif name == _PRIORITY:
            metric = int.from_bytes(value, sys.byteorder)
        elif name == _TABLE:
            table = int.from_bytes(value, sys.byteorder)
        elif name == _METRICS:
            mtu = _mtu_of(value, family)
    network = ipaddress.ip_network((to, length), strict=False)
    return Entry(network, index, kind, source, mtu, metric, table)


def _mtu_of(metrics: bytes, family: int) -> int | None:
    found = {name: int.from_bytes(value, sys.byteorder) for name, value in _attributes(metrics)}
    if family == socket.AF_INET:
        return found.get(_METRIC_MTU)
    return found[_METRIC_MSS] + 60 if _METRIC_MSS in found else None


# --- messages -----------------------------------------------------------------------------------------------------


def _connected() -> socket.socket:
    try:
        connection = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
    except OSError as error:
        raise HostError(f"routes: {error.strerror}") from None
    connection.bind((0, 0))
    with suppress(OSError):
        # Lets a dump keep to one interface; kernels before 4.20 give all.
        connection.setsockopt(_NETLINK, _STRICT, 1)
    return connection


def _change(kind: int, flags: int, index: int, routes: Sequence[Route], *harmless: int) -> None:
    if not routes:
        return
    with _connected() as connection:
        failed = ""
        for first in range(0, len(routes), _AT_ONCE):
            some = routes[first : first + _AT_ONCE]
            connection.send(b"".join(_message(kind, flags, _body(index, route, kind)) for route in some))
            for route, number in zip(some, _outcomes(connection, len(some)), strict=True):
                if number and number not in harmless:
                    failed = failed or f"route to {route.destination}: {os.strerror(number)}"
    if failed:
        raise HostError(failed)


def _outcomes(connection: socket.socket, wanted: int) -> Iterator[int]:
    """Give the error number of each request, 0 for none."""
    while wanted:
        for kind, body in _messages(connection.recv(1 << 16)):
            if kind == _ERROR:
                wanted -= 1
                yield -int.from_bytes(body[:4], sys.byteorder, signed=True)


def _body(index: int, route: Route, kind: int) -> bytes:
    network = route.destination
    six = network.version == 6
    scope = 0 if six else _LINK_SCOPE
    body = _ROUTE.pack(
        _family(network.version), network.prefixlen, 0, 0, _MAIN, _STATIC, scope, _UNICAST, 0
    ) + _attribute(_TO, network.network_address.packed)
    body += _attribute(_OIF, struct.pack("=I", index))
    if route.source:
        body += _attribute(_PREFSRC, route.source.packed)
    if six:
        body += _attribute(_PRIORITY, struct.pack("=I", IPV6_METRIC))
    if kind == NEW and route.mtu:
        # IPv6 knows no MTU below 1280 (RFC 8200, section 5), but TCP can be told to send less: 60 bytes of headers.
        name, value = (_METRIC_MSS, route.mtu - 60) if six else (_METRIC_MTU, route.mtu)
        body += _attribute(_METRICS, _attribute(name, struct.pack("=I", value)))
    return body


def _dump(connection: socket.socket, family: int, index: int) -> Iterator[Entry]:
    body = _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0) + _attribute(_OIF, struct.pack("=I", index))
    connection.send(_message(_GET, _REQUEST | _DUMP, body))
    while True:
        for kind, answer in _messages(connection.recv(1 << 18)):
            if kind in (_DONE, _ERROR):
                return
            if kind == NEW:
                yield parse(answer)


def _metric(family: int) -> int:
    return IPV6_METRIC if family == socket.AF_INET6 else 0


def _family(version: int) -> int:
    return socket.AF_INET6 if version == 6 else socket.AF_INET


def _message(kind: int, flags: int, body: bytes) -> bytes:
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, 0, 0) + body


def _attribute(name: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), name) + value + bytes(-len(value) % 4)


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Give type and body of each message."""
    at = 0
    while at + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, at)
        if length < _HEADER.size:
            return
        yield kind, data[at + _HEADER.size : at + length]
        at += (length + 3) & ~3


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + _ATTRIBUTE.size <= len(data):
        length, name = _ATTRIBUTE.unpack_from(data, at)
        if length < _ATTRIBUTE.size:
            return
        yield name & 0x3FFF, data[at + _ATTRIBUTE.size : at + length]
        at += (length + 3) & ~3
