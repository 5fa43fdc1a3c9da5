"""The node's own device: it carries the routes to the peers' destinations, whichever link's interface is gone.

It is a TUN device that lives as long as its descriptor is open, so it vanishes with the node, and its addresses
and routes with it: nothing of it needs a journal. Packets are caught on their way to it (`alagg.system.rules`);
those that are not end in the queues of the workers (`alagg.ports.tun`), which count them and throw them away. The
queue that holds the device alive is detached: nothing waits in it unseen.

Packets that the workers write to it come in by the device, and IPv4's reverse path filter looks at them. The route
back leads by the device, unless the host has a more specific one elsewhere; so the device's own filter is loose,
which also loosens a strict one set for all interfaces. Where the host has no filter, the device has none either: a
router on the way reports errors from an address that perhaps no route leads to. IPv6 has no such filter. Found out by
experiment, kept in tests/system/test_device.py.

Found out there, too: with the source addresses on the device as well,
local sockets go on when a link's interface is switched off, deleted and made again, or loses its address; and
what peers send to these addresses is still ours.

One trap lies there, for whoever injects. An IPv6 socket remembers the route by which its last packet came. When that
packet was injected through a raw socket, the remembered route holds its interface (eth0 or the device, whichever had
the address first), and while the connection is idle that interface cannot be unregistered: `ip link del`, a pulled
USB adapter, or the end of the node wait for minutes ("waiting for … to become free"). Packets that come in through
`lo` by AF_PACKET, or through the TUN device, hold nothing; neither does IPv4 in any of these ways.
"""

from __future__ import annotations

import errno
import os
import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from alagg.ports import tun
from alagg.system import HostError, netlink, routes, sysctl
from alagg.system.sources import first_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from alagg.config import Network
    from alagg.system.netlink import Address
    from alagg.system.routes import Route

_PATIENCE: Final = 2.0
"""Seconds in which a killed node's last child must have given the device up."""

_SETTINGS: Final = {
    # Redirects: see alagg.system.rules; this setting alone does not do, the one of `all` counts as well.
    "ipv4": {"send_redirects": "0"},
    "ipv6": {
        "disable_ipv6": "0",
        "addr_gen_mode": "1",  # no link-local address, so no router solicitations and no listener reports
        "accept_ra": "0",
    },
}


@dataclass(frozen=True)
class Layout:
    """What the device is to look like."""

    mtu: int
    addresses: tuple[Address, ...]
    routes: tuple[Route, ...]


class Device:
    """An open device.

    Args:
        name: of the interface, which must not exist yet.

    Raises:
        HostError: it cannot be made.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._layout = Layout(mtu=0, addresses=(), routes=())
        self._descriptor = _open(name)
        found = netlink.interface(name)
        assert found is not None
        self.index: int = found.index
        self._reverse_path_filter = _reverse_path_filter()
        self._set()

    @property
    def layout(self) -> Layout:
        """What the device was made to look like."""
        return self._layout

    def fileno(self) -> int:
        """Give the descriptor that holds the device alive; its queue is detached."""
        return self._descriptor

    def apply(self, wanted: Layout) -> None:
        """Make the device look as wanted, whatever it looks like. New routes are there before old ones go.

        Raises:
            HostError: the kernel refused something; what was done so far stays, and another call goes on from there.
        """
        before, self._layout = self._layout, _union(self._layout, wanted)
        found = self._look()
        if found.name != self.name:
            self._rename_back()
        if not found.up or found.mtu != wanted.mtu:
            netlink.set_link(self.index, mtu=wanted.mtu, state="up")
            found = self._look()
        self._set()
        for address in wanted.addresses:
            if address not in found.addresses:
                netlink.add_address(self.index, address)
        self._set_routes(before.routes, wanted.routes)
        for address in before.addresses:
            if address not in wanted.addresses:
                netlink.delete_address(self.index, address)
        self._layout = wanted

    def lost(self) -> list[str]:
        """Give in words what the kernel does not have any more of what `apply` made.

        Raises:
            HostError: the kernel cannot be asked.
        """
        found, layout = self._look(), self._layout
        if not layout.mtu:
            return []
        words = [] if found.name == self.name else [f"name {self.name} (it was {found.name})"]
        words += [] if found.up else [f"{self.name} up"]
        if found.mtu != layout.mtu:
            words.append(f"{self.name} mtu {layout.mtu}")
        words += [f"{path} = {value}" for path, value in self._settings() if sysctl.read(path) not in (None, value)]
        words += [f"address {one}" for one in layout.addresses if one not in found.addresses]
        there = routes.present(self.index)
        gone = [route for route in layout.routes if there.get(route.destination) != route]
        return words + [f"route to {one.destination}" for one in (*gone, *self._overtaken(layout.routes, there))]

    def withdraw(self) -> None:
        """Let no packet go this way any more; what still comes in by the device is taken as before."""
        self.leave(frozenset())

    def leave(self, keep: frozenset[Network]) -> None:
        """Delete the routes to all destinations but some.

        Raises:
            HostError: the kernel refused it.
        """
        routes.delete(self.index, [one for one in self._layout.routes if one.destination not in keep])
        staying = tuple(one for one in self._layout.routes if one.destination in keep)
        self._layout = replace(self._layout, routes=staying)

    def is_there(self) -> bool:
        """Say whether the kernel still has the device."""
        return self._look().there

    def _rename_back(self) -> None:
        """Take the name back: rules, settings and other people's firewalls go by it.

        Raises:
            HostError: another interface has it now.
        """
        try:
            netlink.set_link(self.index, ifname=self.name)
        except HostError as error:
            if not netlink.refused(error, errno.EBUSY):
                raise
            # Before Linux 6.2 an interface keeps its name while it is up; what is on it comes back in `apply`.
            netlink.set_link(self.index, state="down")
            netlink.set_link(self.index, ifname=self.name)

    def is_set(self) -> bool:
        """Say whether its settings are as they were made; of these the kernel tells nobody."""
        return all(sysctl.read(path) in (None, value) for path, value in self._settings())

    def close(self) -> None:
        """Delete the device with all that it carries. More calls do nothing."""
        if self._descriptor < 0:
            return
        # Explicitly, since a child that was forked in the meantime may hold the descriptor, too.
        netlink.delete_link(self.index)
        os.close(self._descriptor)
        self._descriptor = -1

    def _look(self) -> _State:
        found = next((one for one in netlink.interfaces() if one.index == self.index), None)
        if found is None:
            return _State(there=False, name="", up=False, mtu=0, addresses=frozenset())
        addresses = frozenset(place.address for place in netlink.places() if place.index == self.index)
        return _State(there=True, name=found.name, up=found.up, mtu=found.mtu, addresses=addresses)

    def _settings(self) -> Iterator[tuple[str, str]]:
        for family, settings in _SETTINGS.items():
            for setting, value in settings.items():
                yield f"net/{family}/conf/{self.name}/{setting}", value
        yield f"net/ipv4/conf/{self.name}/rp_filter", self._reverse_path_filter

    def _set(self) -> None:
        for path, value in self._settings():
            # Where it cannot be set (no IPv6, /proc read-only) the device still does what it is for.
            if sysctl.read(path) not in (None, value):
                sysctl.write(path, value)

    def _set_routes(self, before: tuple[Route, ...], wanted: tuple[Route, ...]) -> None:
        there = routes.present(self.index)
        overtaken = self._overtaken(wanted, there)
        routes.delete(self.index, [there[route.destination] for route in overtaken])
        changed = [one for one in wanted if there.get(one.destination, one) != one and one not in overtaken]
        routes.replace(self.index, changed)
        routes.add(self.index, [one for one in wanted if one.destination not in there or one in overtaken])
        new = {route.destination for route in wanted}
        routes.delete(self.index, [one for one in before if one.destination not in new])

    def _overtaken(self, ours: Iterable[Route], there: Mapping[Network, Route]) -> list[Route]:
        """Give those of our routes before which another program has put one to the same destination."""
        with closing(routes.Questions()) as questions:
            ways = {one: questions.match(first_host(one.destination)) for one in ours if one.destination in there}
        # A way to less than the destination is a network of its own, which comes first by right.
        return [
            one for one, way in ways.items()
            if way and way.destination == one.destination and way.interface != self.index
        ]  # fmt: skip


@dataclass(frozen=True)
class _State:
    """What the kernel says of the device."""

    there: bool
    name: str
    up: bool
    mtu: int
    addresses: frozenset[Address]


def _reverse_path_filter() -> str:
    """Give the device's `rp_filter`: loose (2), or off (0) where the host does not filter new interfaces."""
    wanted = {sysctl.read(f"net/ipv4/conf/{name}/rp_filter") for name in ("all", "default")}
    return "0" if wanted <= {"0", None} else "2"


def _union(before: Layout, wanted: Layout) -> Layout:
    """Give all that may be there while one layout takes over from the other."""
    addresses = tuple(dict.fromkeys(before.addresses + wanted.addresses))
    routes = {route.destination: route for route in wanted.routes + before.routes}
    return Layout(mtu=0, addresses=addresses, routes=tuple(routes.values()))


def _open(name: str) -> int:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            descriptor = tun.open_queue(name, tun.EXCLUSIVE)
        except FileNotFoundError:
            raise HostError("/dev/net/tun is missing; load the module tun, or set manage_host = no") from None
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise HostError(f"device {name}: cannot be made: {error.strerror}") from None
            if time.monotonic() > deadline:
                raise HostError(f"device {name}: exists already; choose another name with device = …") from None
            time.sleep(0.02)
        else:
            tun.detach(descriptor)
            return descriptor
