"""Socket addresses as the kernel writes them (sockaddr_in, sockaddr_in6): the remote addresses of UDP links.

A socket of IPv6 writes an IPv4 address as ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2).
"""

from __future__ import annotations

import ipaddress
import socket
import struct
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Name = tuple[str, int] | tuple[str, int, int, int]
"""An address as Python's socket module has it."""

_MAPPED: Final = bytes(10) + b"\xff\xff"
_IN: Final = struct.Struct("=H2s4s8x")
_IN6: Final = struct.Struct("=H2s4x16sI")


def pack(address: Address, port: int, *, family: int) -> bytes:
    """Write an address for a socket of a family, `AF_INET` or `AF_INET6`.

    Raises:
        ValueError: a socket of IPv4 does not reach an IPv6 address.
    """
    number = port.to_bytes(2, "big")
    if family == socket.AF_INET:
        if address.version != 4:
            raise ValueError(f"{address} from a socket of IPv4")
        return _IN.pack(socket.AF_INET, number, address.packed)
    scope = 0
    if isinstance(address, ipaddress.IPv4Address):
        packed = _MAPPED + address.packed
    else:
        packed = address.packed
        scope = _index(address.scope_id)
    return _IN6.pack(socket.AF_INET6, number, packed, scope)


def unpack(name: bytes) -> tuple[Address, int]:
    """Read what `pack` wrote, or the kernel; an IPv4 address comes as such from either kind of socket."""
    if len(name) == _IN.size:
        _, port, packed = _IN.unpack(name)
        return ipaddress.IPv4Address(packed), int.from_bytes(port, "big")
    _, port, packed, _ = _IN6.unpack(name)
    address = ipaddress.IPv6Address(packed)
    return address.ipv4_mapped or address, int.from_bytes(port, "big")


def text(name: bytes) -> str:
    """Write an address and its port as a configuration has it; nothing for no address."""
    if not name:
        return ""
    address, port = unpack(name)
    return f"[{address}]:{port}" if address.version == 6 else f"{address}:{port}"


def ip(host: str) -> Address:
    """Read an address.

    Raises:
        ValueError: it is none.
    """
    return ipaddress.ip_address(host)


def is_ipv4(name: bytes) -> bool:
    """Say whether datagrams to an address are of IPv4, from either kind of socket."""
    return len(name) == _IN.size or name[8:20] == _MAPPED


def of_tuple(found: Name) -> bytes:
    """Write an address as Python's socket module gives it."""
    number = found[1].to_bytes(2, "big")
    if len(found) == 2:
        return _IN.pack(socket.AF_INET, number, socket.inet_aton(found[0]))
    packed = socket.inet_pton(socket.AF_INET6, found[0].partition("%")[0])
    return _IN6.pack(socket.AF_INET6, number, packed, found[3])


def to_tuple(name: bytes) -> Name:
    """Give an address as Python's socket module takes it."""
    if len(name) == _IN.size:
        _, port, packed = _IN.unpack(name)
        return socket.inet_ntop(socket.AF_INET, packed), int.from_bytes(port, "big")
    _, port, packed, scope = _IN6.unpack(name)
    return socket.inet_ntop(socket.AF_INET6, packed), int.from_bytes(port, "big"), 0, scope


def _index(scope: str | None) -> int:
    if not scope:
        return 0
    return int(scope) if scope.isdecimal() else socket.if_nametoindex(scope)
