"""Meeting: two hosts that have no configuration yet find each other on the links between them.

Each says by broadcast, in control frames, who it is. A running node whose links have `mac = auto` does that, too, and
is heard. Nobody is believed: what was found is shown, and whoever asked decides.
"""

from __future__ import annotations

import ipaddress
import json
import re
import secrets
import select
import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from google_crc32c import value as crc32c

from alagg.engine import control, header
from alagg.engine.control import CONTROL_VERSION, OWNS, ControlError
from alagg.ports.ethernet import BROADCAST, ETHERNET_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from alagg.system.netlink import Interface
    from alagg.values import Address

NEWCOMER: Final = 64
"""Kind of item in a control frame: a host without a configuration; nodes skip it."""
PACE: Final = 0.2
"""Seconds between two announcements."""
LINGER: Final = 2.0
"""Seconds for which it goes on after somebody was found, so that all links are, and the other side finds us."""
MAX_FOUND: Final = 64
"""Hosts that are kept; who forges more is not listened to."""
_AT_ONCE: Final = 64
_LARGEST: Final = 2048
_MAX_ADDRESSES: Final = 16
_SOL_PACKET: Final = 263
_PACKET_IGNORE_OUTGOING: Final = 23
_ITEM: Final = struct.Struct(">BH")
_HOST: Final = re.compile(r"[\w.-]{1,64}", re.ASCII)
_INTERFACE: Final = re.compile(r"[^\s/:]{1,15}")


@dataclass(frozen=True)
class Newcomer:
    """What a host says of itself on one of its interfaces."""

    host: str
    interface: str
    """Its own name for the interface; empty where it does not say."""
    addresses: tuple[Address, ...]
    knows: tuple[int, ...] = ()
    """The numbers of those that it has heard."""


@dataclass(frozen=True)
class Pair:
    """A link between two interfaces."""

    interface: str
    """Of this host."""
    own: bytes
    mac: bytes
    """The other one's address."""
    far_interface: str
    """The other one's name over there; empty where that is not known."""


@dataclass
class Found:
    """A host that was heard."""

    host: str = ""
    """Its name; empty for a running node."""
    addresses: tuple[Address, ...] = ()
    heard_us: bool = False
    seen: dict[tuple[bytes, bytes], Pair] = field(default_factory=dict)
    """The ways on which it was heard, by both ends' addresses."""

    def pairs(self) -> list[Pair]:
        """Give links that share no interface. Both hosts choose the same ones, if all are on one switch, too."""
        chosen: list[Pair] = []
        for key in sorted(self.seen, key=sorted):
            pair = self.seen[key]
            if not any(pair.own == other.own or pair.mac == other.mac for other in chosen):
                chosen.append(pair)
        return sorted(chosen, key=lambda pair: pair.interface)


def meet(
    interfaces: Sequence[Interface],
    host: str,
    addresses: Sequence[Address],
    ethertype: int,
    seconds: float,
    tell: Callable[[float, int], None] = lambda _share, _found: None,
) -> list[Found]:
    """Announce this host on interfaces, and listen who else does; give whoever was found.

    Args:
        interfaces: where; they are up.
        host: the name that the other side shows.
        addresses: those of this host that the other one is to send to.
        ethertype: of the frames.
        seconds: how long at most; it ends earlier when somebody was found who has found us.
        tell: called now and then with the share of the time that is over, and how many were found.

    Raises:
        OSError: an interface is missing or down, or rights are.
    """
    number = secrets.randbits(32)
    found: dict[int, Found] = {}
    sockets = [(one, _open(one, ethertype)) for one in interfaces]
    start = time.monotonic()
    end, next_time = start + seconds, start
    first = None
    try:
        while (now := time.monotonic()) < end:
            if now >= next_time:
                next_time = now + PACE
                for one, opened in sockets:
                    newcomer = Newcomer(host, one.name, tuple(addresses), tuple(found))
                    _announce(opened, one, number, newcomer, ethertype)
                tell((now - start) / seconds, len(found))
            _listen(sockets, found, number, next_time - now)
            first = first or (now if found else None)
            if first is not None and now - first >= LINGER and all(map(_is_done, found.values())):
                break
    finally:
        for _, opened in sockets:
            opened.close()
    return list(found.values())


def encode(newcomer: Newcomer) -> bytes:
    """Give the payload of a control frame."""
    values = {
        "host": newcomer.host, "interface": newcomer.interface, "knows": newcomer.knows[:_MAX_ADDRESSES],
        "addresses": [str(address) for address in newcomer.addresses[:_MAX_ADDRESSES]],
    }  # fmt: skip
    text = json.dumps(values).encode()
    return bytes([CONTROL_VERSION]) + _ITEM.pack(NEWCOMER, len(text)) + text


def decode(payload: bytes) -> Newcomer | None:
    """Read a control frame's payload, of a newcomer or a node; None where it says nothing of its addresses."""
    try:
        items = control.decode(payload)
    except ControlError:
        return None
    for item in items:
        if isinstance(item, tuple) and item[0] == OWNS:
            hosts = (network.network_address for network in item[1] if network.num_addresses == 1)
            return Newcomer("", "", _reachable(hosts))
    for kind, value in _items(payload):
        if kind == NEWCOMER:
            with suppress(ValueError, KeyError, TypeError, RecursionError):
                return _newcomer(json.loads(value))
    return None


def _reachable(addresses: Iterable[Address]) -> tuple[Address, ...]:
    """Give those of a host's addresses to which somebody else can send."""
    found = (one for one in addresses if not (one.is_link_local or one.is_loopback or one.is_unspecified))
    return tuple(one for one in found if not one.is_multicast)[:_MAX_ADDRESSES]


def _newcomer(values: Any) -> Newcomer:
    host, interface = str(values["host"]), str(values["interface"])
    addresses = _reachable(ipaddress.ip_address(str(one)) for one in values["addresses"])
    knows = tuple(int(one) for one in values["knows"][:_MAX_ADDRESSES])
    if not _HOST.fullmatch(host) or not _INTERFACE.fullmatch(interface) or not interface.isprintable():
        raise ValueError(host)
    return Newcomer(host, interface, addresses, knows)


def _items(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Give the items of a payload that `control.decode` has taken."""
    at = 1
    while at < len(payload):
        kind, length = _ITEM.unpack_from(payload, at)
        at += _ITEM.size + length
        yield kind, payload[at - length : at]


def _open(interface: Interface, ethertype: int) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
    try:
        opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        opened.bind((interface.name, ethertype))
    except OSError as error:
        opened.close()
        raise OSError(error.errno, error.strerror, interface.name) from None
    return opened


def _announce(
    opened: socket.socket, interface: Interface, number: int, newcomer: Newcomer, ethertype: int
) -> None:
    payload = encode(newcomer)
    head = header.encode(header.CONTROL, number, 0, 0, 0, 0, 0, 0, len(payload), crc32c(payload))
    with suppress(OSError):  # it may be down for a moment
        opened.send(BROADCAST + interface.mac + ethertype.to_bytes(2, "big") + head + payload)


def _listen(
    sockets: Sequence[tuple[Interface, socket.socket]], found: dict[int, Found], number: int, seconds: float
) -> None:
    poll = select.poll()
    by_descriptor = {opened.fileno(): (interface, opened) for interface, opened in sockets}
    for descriptor in by_descriptor:
        poll.register(descriptor, select.POLLIN)
    for descriptor, _ in poll.poll(max(seconds, 0.0) * 1000 + 1):
        interface, opened = by_descriptor[descriptor]
        for frame in _frames(opened):
            take(found, number, interface, frame)


def _frames(opened: socket.socket) -> Iterator[bytes]:
    with suppress(OSError):
        for _ in range(_AT_ONCE):
            yield opened.recv(_LARGEST)


def take(found: dict[int, Found], number: int, interface: Interface, frame: bytes) -> None:
    """Take a frame that came on an interface; `number` is this host's own."""
    try:
        values = header.decode(frame, ETHERNET_HEADER)
    except header.MalformedFrameError:
        return
    epoch, payload, mac = values[1], values[8], frame[6:12]
    newcomer = decode(payload) if values[0] == header.CONTROL else None
    if newcomer is None or epoch == number or (epoch not in found and len(found) >= MAX_FOUND):
        return
    one = found.setdefault(epoch, Found())
    one.host, one.addresses = newcomer.host, newcomer.addresses
    one.heard_us = one.heard_us or number in newcomer.knows
    one.seen[interface.mac, mac] = Pair(interface.name, interface.mac, mac, newcomer.interface)
    if len(one.seen) > MAX_FOUND:
        del one.seen[next(iter(one.seen))]


def _is_done(found: Found) -> bool:
    """Tell whether the other one needs us no longer: a node does not listen to newcomers."""
    return found.heard_us or not found.host
