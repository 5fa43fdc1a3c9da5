"""Addresses: which peer a captured packet goes to, and whether a received one may be injected.

Both look at the inner IP header and remember their answers for the addresses that they have seen, in a cache of
bounded size. The one exception are errors that routers on the way report: the packet that they quote decides.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from alagg.engine import octets

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

CACHE_SIZE: Final = 4096
"""Answers that are remembered; a full cache starts anew."""

NEVER: Final = tuple(map(ipaddress.ip_network, (
    "0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3", "::/127", "fe80::/10", "ff00::/8",
)))  # fmt: skip
"""Destinations that mean this host, or whoever is on the same segment: no peer, whatever a configuration says.

Broadcasts and multicasts, and with them the neighbour discovery and the listener reports of IPv6.
"""

_CACHE_SIZE: Final = CACHE_SIZE
_ICMP: Final = 1
_ICMPV6: Final = 58

Value = TypeVar("Value")


class PrefixTable(Generic[Value]):
    """Finds the longest matching prefix of an address, IPv4 and IPv6."""

    def __init__(self, entries: Iterable[tuple[Network, Value]]) -> None:
        """Take networks with what they stand for."""
        self._lengths: dict[int, list[int]] = {4: [], 16: []}
        self._values: dict[tuple[int, int, int], Value] = {}
        for network, value in entries:
            size = network.max_prefixlen // 8
            shift = network.max_prefixlen - network.prefixlen
            self._values[size, shift, int(network.network_address) >> shift] = value
            self._lengths[size] = sorted({*self._lengths[size], shift})

    def find(self, address: bytes) -> Value | None:
        """Give what the longest prefix of `address` (4 or 16 bytes) stands for; None when there is none."""
        number = int.from_bytes(address, "big")
        for shift in self._lengths[len(address)]:
            value = self._values.get((len(address), shift, number >> shift))
            if value is not None:
                return value
        return None


def source_and_destination(packet: bytes) -> bytes:
    """Give both addresses of an IP packet as they stand in its header: 8 bytes (IPv4) or 32 (IPv6).

    Returns:
        Empty for what is no IP packet, or whose length is not the one that its header says (RFC 791, section 3.1;
        RFC 8200, section 3).
    """
    version = packet[0] >> 4 if packet else 0
    if version == 4 and len(packet) >= 20 and octets.load16(packet, 2) == len(packet):
        return octets.part(packet, 12, 20)
    if version == 6 and len(packet) >= 40 and octets.load16(packet, 4) + 40 == len(packet):
        return octets.part(packet, 8, 40)
    return b""


def in_words(packet: bytes) -> tuple[str, str]:
    """Give both addresses of an IP packet, or of its beginning, as text; empty for what is no IP packet."""
    version = packet[0] >> 4 if packet else 0
    start, size = {4: (12, 4), 6: (8, 16)}.get(version, (0, 0))
    if not size or len(packet) < start + 2 * size:
        return "", ""
    first, second = packet[start : start + size], packet[start + size : start + 2 * size]
    return str(ipaddress.ip_address(first)), str(ipaddress.ip_address(second))


def quoted_addresses(packet: bytes) -> bytes:
    """Give both addresses of the packet that an ICMP error quotes, as they stand there: 8 bytes or 32.

    Errors are "destination unreachable", which says "fragmentation needed", too, "time exceeded" and "parameter
    problem" (RFC 792), and types 1 to 4 of ICMPv6 (RFC 4443, section 2.1). A redirect is none.

    Returns:
        Empty for every other packet, a fragment among them, and where the quotation ends before the addresses do.
        The packet must have addresses of its own (`source_and_destination`).
    """
    if packet[0] >> 4 == 6:
        error = packet[6] == _ICMPV6 and len(packet) >= 88 and 1 <= packet[40] <= 4 and packet[48] >> 4 == 6
        return octets.part(packet, 56, 88) if error else b""
    start = (packet[0] & 0x0F) * 4
    at = start + 8
    if packet[9] != _ICMP or start < 20 or octets.load16(packet, 6) & 0x3FFF or len(packet) < at + 20:
        return b""
    error = packet[start] in (3, 11, 12) and packet[at] >> 4 == 4
    return octets.part(packet, at + 12, at + 20) if error else b""


def same_destination(packet: bytes, other: bytes) -> bool:
    """Tell, without a look at a table, whether two packets surely go to the same peer: both addresses are equal."""
    if not packet or not other or packet[0] != other[0]:
        return False
    start, end = (12, 20) if packet[0] >> 4 == 4 else (8, 40)
    return len(packet) >= end and len(other) >= end and octets.same(packet, other, start, end)


class Routes(Generic[Value]):
    """Finds the peer of a captured packet by its destination."""

    def __init__(self, entries: Iterable[tuple[Network, Value]], local: Sequence[Network] = ()) -> None:
        """Take each peer's destinations with the peer, and the networks of this host."""
        self._peers = PrefixTable(entries)
        self._never = PrefixTable((network, True) for network in NEVER)
        self._cache: dict[bytes, Value | None] = {}
        self.set_local(local)

    def set_local(self, local: Sequence[Network]) -> None:
        """Replace this host's networks: its addresses have changed."""
        self._local = PrefixTable((network, True) for network in local)
        self._cache.clear()

    def find(self, packet: bytes) -> Value | None:
        """Give the peer that the packet goes to.

        Returns:
            None when there is none, when it is no IP packet, or when it goes round: the same peer may have sent it
            here, since its source is the peer's and its destination is ours. That happens where networks overlap.
        """
        version = packet[0] >> 4 if packet else 0
        addresses = packet[12:20] if version == 4 else packet[8:40] if version == 6 and len(packet) >= 40 else b""
        try:
            return self._cache[addresses]
        except KeyError:
            return self._look_up(addresses)

    def _look_up(self, addresses: bytes) -> Value | None:
        half = len(addresses) // 2
        if half not in (4, 16):
            return None
        source, destination = addresses[:half], addresses[half:]
        if len(self._cache) >= _CACHE_SIZE:
            self._cache.clear()
        found = None if self._never.find(destination) else self._peers.find(destination)
        if found is not None and self._local.find(destination) and not self._local.find(source):
            found = None if self._peers.find(source) is found else found
        self._cache[addresses] = found
        return found


REFUSED: Final = ("malformed_packet", "foreign_source", "foreign_destination")
"""Every reason for which a received packet is not injected."""


class Admission:
    """Decides whether a packet of a peer may be injected: from its addresses, to ours."""

    def __init__(self, sources: Sequence[Network], destinations: Sequence[Network]) -> None:
        """Take the peer's networks and those of this host."""
        self._sources = PrefixTable((network, True) for network in sources)
        self._destinations = PrefixTable((network, True) for network in destinations)
        self._cache: dict[bytes, str] = {}
        self._addresses = b""
        """The addresses of the last packet."""
        self._reason = ""
        """What was said of it."""

    def set_sources(self, sources: Sequence[Network]) -> None:
        """Replace the peer's networks."""
        self._sources = PrefixTable((network, True) for network in sources)
        self._forget()

    def set_destinations(self, destinations: PrefixTable[bool]) -> None:
        """Replace this host's networks: its addresses have changed."""
        self._destinations = destinations
        self._forget()

    def refusal(self, packet: bytes) -> str:
        """Give the reason, one of `REFUSED`, for which the packet must not be injected; empty when it may."""
        addresses = source_and_destination(packet)
        if not addresses:
            return "malformed_packet"
        # Packets come in runs of one flow.
        if addresses != self._addresses:
            self._addresses = addresses
            known = self._cache.get(addresses)
            self._reason = self._judge(addresses) if known is None else known
        if self._reason == "foreign_source" and self._reports(packet, addresses):
            return ""
        return self._reason

    def _reports(self, packet: bytes, addresses: bytes) -> bool:
        """Tell whether a packet reports to us an error about a packet that we may have sent to the peer.

        A router between the peer and whatever is behind it has an address of its own (RFC 1812, section 4.3.2.4).
        """
        quoted = quoted_addresses(packet)
        half = len(addresses) // 2
        return (
            len(quoted) == len(addresses)
            and bool(self._destinations.find(addresses[half:]))
            and bool(self._destinations.find(quoted[:half]))
            and bool(self._sources.find(quoted[half:]))
        )

    def _judge(self, addresses: bytes) -> str:
        half = len(addresses) // 2
        reason = ""
        if not self._sources.find(addresses[:half]):
            reason = "foreign_source"
        elif not self._destinations.find(addresses[half:]):
            reason = "foreign_destination"
        if len(self._cache) >= _CACHE_SIZE:
            self._cache.clear()
        self._cache[addresses] = reason
        return reason

    def _forget(self) -> None:
        self._cache.clear()
        self._addresses = b""
