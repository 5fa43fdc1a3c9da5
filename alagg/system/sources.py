"""Sources: the addresses that the kernel would take towards the destinations if the node's routes were not there."""

from __future__ import annotations

import ipaddress
import socket
from contextlib import closing
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg.system import HostError, netlink, routes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from alagg.config import Config, Network
    from alagg.system.netlink import Address, Place

_LOOPBACK: Final = 1
"""The interface `lo`, the first one in each network namespace."""
_ANYWHERE: Final = {4: ipaddress.ip_address("1.0.0.1"), 6: ipaddress.ip_address("2000::1")}
"""Stands for networks that begin where there are no hosts, such as 0.0.0.0/0."""


class Choice(NamedTuple):
    """An address, and how long the prefix is of the route or network that speaks for it."""

    length: int
    address: Address


class Sources:
    """Remembers what was found: an interface that is down shall not change the address of connections that go on."""

    def __init__(self) -> None:
        self._known: dict[Network, Choice] = {}

    def look(self, config: Config, device: int) -> dict[Network, Address]:
        """Give the address towards each destination; what cannot be found is left out.

        A new look changes an address only for a route at least as specific as the one that spoke for it.

        Args:
            config: its `addresses` go before all that is found.
            device: the index of the node's own device, whose routes and addresses do not count; 0 for none.

        Raises:
            HostError: a destination is an address of this host itself.
        """
        given = {one.version: one.network_address for one in config.addresses or ()}
        if config.addresses:
            return {one: given[one.version] for one in destinations(config) if one.version in given}
        with closing(routes.Questions()) as questions:
            view = _View(questions, netlink.places(), device)
            for peer in config.peers:
                for network in peer.destinations:
                    self._take(network, view.choice(network, peer.name))
        return {one: self._known[one].address for one in destinations(config) if one in self._known}

    def _take(self, network: Network, found: Choice | None) -> None:
        known = self._known.get(network)
        if found and (known is None or found.length >= known.length):
            self._known[network] = found


class _View:
    """The host's routes and addresses without the node's."""

    def __init__(self, questions: routes.Questions, places: Sequence[Place], device: int) -> None:
        self._questions = questions
        self._places = [place for place in places if place.index != device]
        self._device = device
        self._others = [index for index, _ in socket.if_nameindex() if index not in (device, _LOOPBACK)]

    def choice(self, network: Network, peer: str) -> Choice | None:
        target = first_host(network)
        usual = self._questions.match(target)
        if usual and usual.kind == routes.LOCAL:
            if network.num_addresses == 1:
                raise HostError(f"[peer {peer}] destinations: {target} is an address of this host itself")
            return Choice(0, target)
        ways = [usual] if usual and usual.interface != self._device else self._ways(target)
        # Of equals the first one: the route, before an address whose interface may be down.
        choices = [*self._by_routes(target, ways), *self._by_networks(target)]
        return max(choices, key=lambda choice: choice.length, default=None)

    def _ways(self, target: Address) -> list[routes.Entry]:
        found = [way for index in self._others if (way := self._questions.match(target, index))]
        return sorted(found, key=lambda way: way.metric)

    def _by_routes(self, target: Address, ways: Iterable[routes.Entry]) -> list[Choice]:
        return [
            Choice(way.destination.prefixlen, source)
            for way in ways
            if (source := way.source or self._questions.source(target, way.interface))
        ]

    def _by_networks(self, target: Address) -> list[Choice]:
        return [
            Choice(place.network.prefixlen, place.address)
            for place in self._places
            if target.version == place.network.version and target in place.network
        ]


def own_networks(device: int) -> frozenset[Network]:
    """Give the networks of this host's own interfaces, without the node's device and single addresses."""
    return frozenset(
        place.network
        for place in netlink.places()
        if place.index != device and place.network.prefixlen < place.network.max_prefixlen
    )


def with_ways(wanted: Iterable[Network], device: int) -> frozenset[Network]:
    """Give the destinations that the host has a way to besides the node's device."""
    others = [index for index, _ in socket.if_nameindex() if index not in (device, _LOOPBACK)]
    found = set()
    with closing(routes.Questions()) as questions:
        for network in wanted:
            target = first_host(network)
            usual = questions.match(target)
            if usual and (usual.interface != device or any(questions.match(target, index) for index in others)):
                found.add(network)
    return frozenset(found)


def destinations(config: Config) -> tuple[Network, ...]:
    """Give all destinations of all peers, each once."""
    return tuple(dict.fromkeys(network for peer in config.peers for network in peer.destinations))


def first_host(network: Network) -> Address:
    """Give an address that stands for a network; its first one may be a broadcast address of old."""
    if network.num_addresses <= 2:
        return network[0]
    stand_in = _ANYWHERE[network.version]
    return stand_in if int(network.network_address) == 0 and stand_in in network else network[1]
