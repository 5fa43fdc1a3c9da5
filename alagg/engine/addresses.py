"""Addresses: which peer a captured packet goes to, and whether a received one may be injected.

Both look only at the inner IP header and remember their answers for the addresses that they have seen, in a cache
of bounded size.
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


def same_destination(packet: bytes, other: bytes) -> bool:
    """Tell, without a look at a table, whether two packets surely go to the same address."""
    if not packet or not other or packet[0] != other[0]:
        return False
    start, end = (16, 20) if packet[0] >> 4 == 4 else (24, 40)
    return len(packet) >= end and len(other) >= end and octets.same(packet, other, start, end)


class Routes(Generic[Value]):
    """Finds the peer of a captured packet by its destination."""

    def __init__(self, entries: Iterable[tuple[Network, Value]]) -> None:
        """Take each peer's destinations with the peer."""
        self._table = PrefixTable(entries)
        self._cache: dict[bytes, Value | None] = {}

    def find(self, packet: bytes) -> Value | None:
        """Give the peer that the packet goes to; None when there is none or it is no IP packet."""
        version = packet[0] >> 4 if packet else 0
        destination = packet[16:20] if version == 4 else packet[24:40] if version == 6 and len(packet) >= 40 else b""
        try:
            return self._cache[destination]
        except KeyError:
            return self._look_up(destination)

    def _look_up(self, destination: bytes) -> Value | None:
        if len(destination) not in (4, 16):
            return None
        if len(self._cache) >= CACHE_SIZE:
            self._cache.clear()
        found = self._cache[destination] = self._table.find(destination)
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

    def set_destinations(self, destinations: Sequence[Network]) -> None:
        """Replace this host's networks: its addresses have changed."""
        self._destinations = PrefixTable((network, True) for network in destinations)
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
        return self._reason

    def _judge(self, addresses: bytes) -> str:
        half = len(addresses) // 2
        reason = ""
        if not self._sources.find(addresses[:half]):
            reason = "foreign_source"
        elif not self._destinations.find(addresses[half:]):
            reason = "foreign_destination"
        if len(self._cache) >= CACHE_SIZE:
            self._cache.clear()
        self._cache[addresses] = reason
        return reason

    def _forget(self) -> None:
        self._cache.clear()
        self._addresses = b""
