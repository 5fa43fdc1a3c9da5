"""The host of a node: everything that `manage_host = yes` sets up, follows, and takes back."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from alagg import linktypes
from alagg.engine.header import SIZE
from alagg.system import HostError, netlink, peek, rules, shaping
from alagg.system.device import Device, Layout
from alagg.system.routes import Route
from alagg.system.sources import Sources, destinations, own_networks, with_ways
from alagg.system.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.config import Config, Network
    from alagg.system.journal import Journal

_USUAL_MTU: Final = 1500
"""Taken while no link's interface is there to ask."""
_SMALLEST_MTU: Final = 1280
"""An interface with a smaller MTU loses IPv6 (RFC 8200, section 5); larger packets than fit are split instead."""
_LARGEST_MTU: Final = 65535


_DRAIN: Final = 0.02
"""Seconds in which the workers send what they have been given, before less is theirs."""

log = logging.getLogger(__name__)


class Host:
    """What one node changes on its host.

    The caller listens to the NFQUEUE before `set_up` and until after `withdraw`: then no packet is lost on the way.

    Args:
        config: with `manage_host` off nothing is ever changed; the journal is held nevertheless, so that two nodes
            never share a control socket.
        journal: where each change is written down before it is made.
    """

    def __init__(self, config: Config, journal: Journal) -> None:
        self.device: Device | None = None
        self.upkeep = Upkeep()
        self.without_rules = ""
        """Why there are no rules although the configuration wants some; empty where there are."""
        self._config = config
        self._journal = journal
        self._sources = Sources()
        self._rules: dict[tuple[rules.Family, str, str], peek.Chain] = {}
        self._own: frozenset[Network] = frozenset()
        self._shaped: set[int] = set()
        self._lost: frozenset[str] = frozenset()
        """Peers that no link leads to."""
        self._postponed = False
        """Whether something is lost that may not be put back yet."""

    def open(self) -> list[str]:
        """Undo what a crashed run left and make the device, to which nothing is routed yet; say what was undone.

        What peers send from now on comes in by it: the kernel throws away what comes by a device without an address.

        Raises:
            HostError: something is refused, in one line; nothing is left behind.
        """
        undone = self._journal.acquire()
        if self._config.manage_host and self.device is None:
            self.device = Device(self._config.device)
            try:
                self.device.apply(replace(self._layout(self._config), routes=()))
            except BaseException:
                self.close()
                raise
        return undone

    def set_up(self) -> list[str]:
        """Make all changes, the routes last; say what was undone.

        Raises:
            HostError: something is refused, in one line; nothing is left behind.
        """
        undone = self.open()
        try:
            self._enter(self._config, self._config)
        except BaseException:
            self.tear_down()
            raise
        return undone

    def reload(self, config: Config, between: Callable[[], None] = lambda: None) -> None:
        """Go over to another configuration: what it does not want goes first, what is new comes last.

        Args:
            config: the new one.
            between: tells the workers of it. Before, they are given nothing that the new one does not know; after,
                they know all that they are given.

        Raises:
            HostError: something is refused; the old configuration is in force again, as far as possible.
        """
        before = self._config
        self._refuse_what_needs_a_restart(config)
        shaping.rates(config)
        self._drop_routes(config)
        between()
        time.sleep(_DRAIN)
        try:
            self._enter(before, config)
        except HostError:
            self._config = before
            self._enter(config, before)
            raise
        self._config = config

    def update(self, now: float | None = None) -> None:
        """Follow what happened to the host, and put back what was lost of ours.

        Args:
            now: the time; None for that of the clock.

        Raises:
            HostError: the kernel refused a change.
        """
        if not self._config.manage_host:
            return
        now = time.monotonic() if now is None else now
        self._postponed = False
        try:
            self._keep_device(now)
        finally:
            self._keep_shaped(now)

    def check(self, now: float | None = None) -> None:
        """Put back what was lost of what changes without any event: rules, settings.

        Raises:
            HostError: the kernel refused a change.
        """
        if not self._config.manage_host:
            return
        now = time.monotonic() if now is None else now
        self._keep_rules(now)
        if self._postponed or self.device is None or not self.device.is_set():
            self.update(now)

    def let_go(self, peers: frozenset[str]) -> list[str]:
        """Leave packets for some peers, and no others, to the host's own routes, where it has any; say for which.

        Raises:
            HostError: the kernel refused a change.
        """
        self._lost = peers
        if self.device is None or not self._config.manage_host:
            return []
        passed = self._passed(self._config, self.device.index)
        routed = {route.destination for route in self.device.layout.routes}
        wanted = set(self._leave_own(destinations(self._config), self.device.index)) - passed
        if routed != wanted:
            self.update()
        return [peer.name for peer in self._config.peers if passed.intersection(peer.destinations)]

    def withdraw(self) -> list[str]:
        """Take no packets any more, and undo all but the device, by which packets still come in; say what was undone.

        Never raises for a single failure.
        """
        if self.device is not None:
            try:
                self.device.withdraw()
            except HostError as error:
                log.error("not withdrawn: %s", error)  # noqa: TRY400 - a line, not a traceback
        undone = self._journal.revert()
        time.sleep(_DRAIN)
        return undone

    def close(self) -> None:
        """Delete the device; the journal is the caller's."""
        if self.device is not None:
            self.device.close()
            self.device = None

    def tear_down(self) -> list[str]:
        """Take every change back and give the journal up; say what was undone. Never raises for a single failure."""
        try:
            self.close()
        finally:
            undone = self._journal.undo()
        return undone

    # --- steps ----------------------------------------------------------------------------------------------------

    def _enter(self, before: Config, config: Config) -> None:
        """Go over from one configuration to another; the same one twice means that nothing is there yet."""
        if not config.manage_host:
            self._leave(before)
            return
        if self.device is None:
            self.device = Device(config.device)
        if before is config or not before.manage_host or self.without_rules:
            self._install_rules(config)
        else:
            rules.replace_all(before, config, self._journal)
            self._rules = rules.look(config)
        if before is not config and before.manage_host:
            shaping.unshape(before, config)
        self._shaped |= {one.index for one in shaping.unshaped(config)}
        shaping.shape(config, self._journal)
        # The routes come last: from then on the packets are ours.
        self.device.apply(self._layout(config))

    def _install_rules(self, config: Config) -> None:
        """Set the rules up, or go on without where they only speed up what the device captures as well.

        Raises:
            HostError: they cannot be had, and the configuration demands them.
        """
        self.without_rules, self._rules = "", {}
        try:
            rules.install(config, self._journal)
            self._rules = rules.look(config)
        except HostError as error:
            if config.capture != "auto":
                raise
            self.without_rules = str(error)
            log.warning("no rules, the device captures everything: %s", error)

    def _leave(self, before: Config) -> None:
        if before.manage_host:
            self.close()
            rules.remove(before)
            shaping.unshape(before, None)

    def _drop_routes(self, config: Config) -> None:
        """Give back to other routes what a new configuration does not want any more."""
        if self.device is None:
            return
        self.device.leave(frozenset(destinations(config) if config.manage_host else ()))

    def _refuse_what_needs_a_restart(self, config: Config) -> None:
        for key in ("control_socket", "device", "mark"):
            if getattr(config, key) != getattr(self._config, key):
                raise HostError(f"{config.path}: [alagg] {key}: cannot change while the node runs; restart it")

    def _layout(self, config: Config) -> Layout:
        """Give what the device is to look like, from the configuration and the host as it is now."""
        inner = inner_mtu(config)
        narrow = inner if inner < _SMALLEST_MTU else None
        index = self.device.index if self.device else 0
        sources = self._sources.look(config, index)
        addresses = [network.network_address for network in config.addresses or ()] or list(sources.values())
        wanted = self._leave_own(destinations(config), index)
        passed = self._passed(config, index)
        return Layout(
            mtu=max(inner, _SMALLEST_MTU),
            addresses=tuple(dict.fromkeys(addresses)),
            routes=tuple(Route(one, sources.get(one), narrow) for one in wanted if one not in passed),
        )

    def _passed(self, config: Config, index: int) -> frozenset[Network]:
        """Give the destinations of peers that no link leads to, as far as the host has ways of its own there."""
        lost = [network for peer in config.peers if peer.name in self._lost for network in peer.destinations]
        return with_ways(lost, index) if lost else frozenset()

    def _leave_own(self, wanted: tuple[Network, ...], index: int) -> list[Network]:
        """Leave out the destinations that are networks of this host's own interfaces: they stay what they are.

        Those that merely contain one need no care: the kernel takes the more specific route.
        """
        own = own_networks(index) & set(wanted)
        for network in sorted(own - self._own, key=str):
            log.warning("destination %s is a network of this host and stays that: name the peer's addresses", network)
        self._own = own
        return [network for network in wanted if network not in own]

    # --- upkeep ---------------------------------------------------------------------------------------------------

    def _keep_device(self, now: float) -> None:
        device = self._device_again(now)
        if device is None:
            return
        wanted, lost = self._layout(self._config), device.lost()
        if lost and not self._may("device", now):
            return
        if lost or wanted != device.layout:
            device.apply(wanted)
        if lost:
            self.upkeep.tell("device", lost, now)

    def _may(self, kind: str, now: float) -> bool:
        allowed = self.upkeep.allows(kind, now)
        self._postponed = self._postponed or not allowed
        return allowed

    def _device_again(self, now: float) -> Device | None:
        """Give the device, a new one where somebody has deleted it; None where that has to wait."""
        if self.device is not None and self.device.is_there():
            return self.device
        if not self._may("deleted", now):
            return None
        self.close()
        self.device = Device(self._config.device)
        self.upkeep.tell("deleted", [f"device {self.device.name}"], now)
        return self.device

    def _keep_rules(self, now: float) -> None:
        if self.without_rules:
            return
        found = rules.look(self._config)
        lost = [chain for chain, wanted in self._rules.items() if found[chain] != wanted]
        if not lost or not self.upkeep.allows("rules", now):
            return
        rules.install(self._config, None)
        self._rules = rules.look(self._config)
        self.upkeep.tell("rules", [f"rules of IPv{family} in {table} {chain}" for family, table, chain in lost], now)

    def _keep_shaped(self, now: float) -> None:
        lost = shaping.unshaped(self._config)
        # A card that has just been plugged in has lost nothing, and need not wait.
        known = [one.name for one in lost if one.index in self._shaped]
        if not lost or (known and not self._may("rate", now)):
            return
        try:
            shaping.shape(self._config, self._journal)
        except HostError as error:
            self.upkeep.complain("rate", str(error), now)
            return
        self._shaped |= {one.index for one in lost}
        if known:
            self.upkeep.tell("rate", [f"rate of {name}" for name in known], now)


def inner_mtu(config: Config) -> int:
    """Give the size of the largest packet that needs no splitting on any link whose interface is there."""
    around = {(link.interface, linktypes.overhead(link)) for link in config.links}
    rooms = [_room(interface, overhead) for interface, overhead in around]
    smallest = min((room for room in rooms if room is not None), default=_USUAL_MTU)
    return min(smallest - SIZE, _LARGEST_MTU)


def _room(interface: str, overhead: int) -> int | None:
    """Give the bytes of the largest frame over an interface; None while it is not there."""
    found = netlink.interface(interface) if interface else None
    if interface and found is None:
        return None
    return (found.mtu if found else _USUAL_MTU) - overhead
