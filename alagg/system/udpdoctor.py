"""Examines what UDP links need of a host: a port to bind, a name that is known, a route, and a way past firewalls."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Literal

from alagg.ports import sockaddr
from alagg.ports.udpport import UdpPort
from alagg.system import names
from alagg.whereabouts import place_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.config import Config, LinkConfig

Told = tuple[Literal["ok", "warn", "fail"], str, str]
"""How bad it is (`ok`, `warn`, `fail`), what it is, and how to mend it."""


def examine(config: Config, *, running: bool) -> Iterator[Told]:
    """Look at each UDP link; send nothing. `running` says whether the node itself may hold the ports."""
    for link in config.links:
        if link.type == "udp":
            yield from _link(config, link, running=running)


def _link(config: Config, link: LinkConfig, *, running: bool) -> Iterator[Told]:
    name = f"link {link.name}"
    try:
        port = UdpPort(place_of(link), config.mark)
    except OSError as error:
        if error.errno == errno.EADDRINUSE and running:
            yield "ok", f"{name}: UDP port {link.local} belongs to the running node", ""
        else:
            yield "fail", f"{name}: cannot be bound to {link.local or link.interface}: {error.strerror}", _mend(error)
        return
    try:
        yield "ok", f"{name}: UDP at {link.local or 'any port'}{f' on {link.interface}' * bool(link.interface)}", ""
        if link.remote is None:
            number = link.local.port if link.local else 0
            yield "ok", f"{name}: waits for the peer; firewalls have to let UDP port {number} in", ""
        else:
            yield from _remote(link, port)
    finally:
        port.close()


def _mend(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "another program has this port (ss -lunp); choose another one, here and in the peer's remote"
    if error.errno == errno.EADDRNOTAVAIL:
        return "no interface has this address (ip address); name one that is there, or 0.0.0.0 or [::]"
    return "correct local or interface = … (ip link, ip address)"


def _remote(link: LinkConfig, port: UdpPort) -> Iterator[Told]:
    remote = link.remote
    assert remote is not None
    try:
        found = (remote.host,) if remote.ip is not None else names.addresses(remote.host)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        yield "fail", f"link {link.name}: {remote.host} cannot be looked up: {reason}", "correct the name, or DNS"
        return
    for host in found:
        yield _route(link, port, host)


def _route(link: LinkConfig, port: UdpPort, host: str) -> Told:
    assert link.remote is not None
    try:
        room = port.room(sockaddr.pack(sockaddr.ip(host), link.remote.port, family=port.family))
    except ValueError:
        return "warn", f"link {link.name}: {host} is of another family than local = {link.local}", "use [::] there"
    except OSError as error:
        return "fail", f"link {link.name}: no way to {host}: {error.strerror}", "add a route, or correct interface"
    return "ok", f"link {link.name}: {host} is routed, for frames of up to {room} bytes", ""
