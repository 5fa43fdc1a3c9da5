"""The host of a node: everything that `manage_host = yes` sets up, follows, and takes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.header import SIZE
from alagg.system import HostError, netlink, rules, shaping
from alagg.system.device import Device, Layout
from alagg.system.netlink import Address, Route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alagg.config import Config, Network, PeerConfig
    from alagg.system.journal import Journal
    from alagg.system.netlink import Interface

_USUAL_MTU: Final = 1500
"""Taken while no link's interface is there to ask."""
_SMALLEST_MTU: Final = 1280
"""An interface with a smaller MTU loses IPv6 (RFC 8200, section 5); larger packets than fit are split instead."""
_LARGEST_MTU: Final = 65535


class Host:
    """What one node changes on its host.

    The caller listens to the NFQUEUE before `set_up` and until after `tear_down`: then no packet is lost on the way.

    Args:
        config: with `manage_host` off nothing is ever changed; the journal is held nevertheless, so that two nodes
            never share a control socket.
        journal: where each change is written down before it is made.
    """

    def __init__(self, config: Config, journal: Journal) -> None:
        self.device: Device | None = None
        self._config = config
        self._journal = journal
        self._sources: dict[Network, Address] = {}
        self._seen: dict[str, tuple[int, int]] = {}

    def set_up(self) -> list[str]:
        """Undo what a crashed run left, then make all changes; say what was undone.

        Raises:
            HostError: something is refused, in one line; nothing is left behind.
        """
        undone = self._journal.acquire()
        try:
            self._enter(self._config)
        except BaseException:
            self.tear_down()
            raise
        return undone

    def reload(self, config: Config) -> None:
        """Go over to another configuration; what both want stays, what is new comes before the old goes.

        Raises:
            HostError: something is refused; the old configuration is in force again, as far as possible.
        """
        before = self._config
        self._refuse_what_needs_a_restart(config)
        try:
            self._enter(config)
        except HostError:
            self._leave(config, before)
            self._enter(before)
            raise
        self._leave(before, config)
        self._config = config

    def update(self, interfaces: Iterable[Interface]) -> None:
        """Follow what happened to the links' interfaces: a changed MTU, a source address, a card that came back.

        Args:
            interfaces: all that are there now.

        Raises:
            HostError: the kernel refused a change.
        """
        if not self._config.manage_host or self.device is None:
            return
        mine = {link.interface for link in self._config.links}
        seen = {one.name: (one.index, one.mtu) for one in interfaces if one.name in mine}
        if seen == self._seen and len(self._sources) == len(_destinations(self._config)):
            return
        self._seen = seen
        self._sources = self._find_sources(self._config)
        shaping.shape(self._config, self._journal)
        self.device.apply(self._layout(self._config))

    def tear_down(self) -> list[str]:
        """Take every change back and give the journal up; say what was undone. Never raises for a single failure."""
        try:
            self._close_device()
        finally:
            undone = self._journal.undo()
        return undone

    # --- steps ----------------------------------------------------------------------------------------------------

    def _enter(self, config: Config) -> None:
        """Add what a configuration wants to what is there."""
        if not config.manage_host:
            return
        self._sources = self._find_sources(config)
        self._seen = {}
        rules.install(config, self._journal)
        shaping.shape(config, self._journal)
        # The routes come last: from then on, packets that no rule catches would be lost.
        if self.device is None:
            self.device = Device(config.device)
        self.device.apply(self._layout(config))

    def _leave(self, before: Config, now: Config) -> None:
        """Take back what one configuration wanted and the other does not."""
        if not before.manage_host:
            return
        if not now.manage_host:
            self._close_device()
            rules.remove(before)
            shaping.unshape(before, None)
            return
        rules.remove_others(before, now)
        shaping.unshape(before, now)

    def _close_device(self) -> None:
        if self.device is not None:
            self.device.close()
            self.device = None

    def _refuse_what_needs_a_restart(self, config: Config) -> None:
        for key in ("control_socket", "device", "mark"):
            if getattr(config, key) != getattr(self._config, key):
                raise HostError(f"{config.path}: [alagg] {key}: cannot change while the node runs; restart it")

    def _layout(self, config: Config) -> Layout:
        """Give what the device is to look like, from the configuration and the links' interfaces as they are now."""
        inner = inner_mtu(config)
        narrow = inner if inner < _SMALLEST_MTU else None
        sources = self._sources
        addresses = [network.network_address for network in config.addresses or ()] or list(sources.values())
        return Layout(
            mtu=max(inner, _SMALLEST_MTU),
            addresses=tuple(dict.fromkeys(addresses)),
            routes=tuple(Route(one, sources.get(one), narrow) for one in _destinations(config)),
        )

    def _find_sources(self, config: Config) -> dict[Network, Address]:
        """Find the address that local sockets take towards each destination; what cannot be found stays open."""
        found: dict[Network, Address] = {}
        for peer in config.peers:
            for network in peer.destinations:
                source = self._find_source(config, peer, network)
                if source is not None:
                    found[network] = source
        return found

    def _find_source(self, config: Config, peer: PeerConfig, network: Network) -> Address | None:
        if config.addresses:
            return next((one.network_address for one in config.addresses if one.version == network.version), None)
        target = first_host(network)
        usual = netlink.path(target)
        if usual and usual.local and network.num_addresses == 1:
            raise HostError(f"[peer {peer.name}] destinations: {target} is an address of this host itself")
        own = self.device.index if self.device else 0
        if usual and usual.index == own:
            usual = None
        if usual and usual.source and not usual.gateway:
            return usual.source
        # The interface of the right address may be down at the moment, and a default route misleads.
        neighbour = netlink.neighbour_address(target, except_on=own)
        if neighbour or (usual and usual.source):
            return neighbour or (usual.source if usual else None)
        return _routed_source(peer, target) or self._sources.get(network)


def _routed_source(peer: PeerConfig, target: Address) -> Address | None:
    """Give the address that goes with a router behind one of the links, passing over the node's own routes."""
    for link in peer.links:
        interface = netlink.interface(link.interface)
        found = netlink.path(target, interface.index) if interface else None
        # Without a router, the kernel merely supposes that the destination be there (ip route get … oif …).
        if found and found.gateway and found.source:
            return found.source
    return None


def inner_mtu(config: Config) -> int:
    """Give the size of the largest packet that needs no splitting on any link whose interface is there."""
    found = [netlink.interface(name) for name in {link.interface for link in config.links}]
    smallest = min((one.mtu for one in found if one is not None), default=_USUAL_MTU)
    return min(smallest - SIZE, _LARGEST_MTU)


def first_host(network: Network) -> Address:
    """Give an address that stands for a network; its first one may be a broadcast address of old."""
    return network[0] if network.num_addresses <= 2 else network[1]


def _destinations(config: Config) -> tuple[Network, ...]:
    return tuple(dict.fromkeys(network for peer in config.peers for network in peer.destinations))
