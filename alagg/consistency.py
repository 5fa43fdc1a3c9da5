"""What the options of a valid file say to each other: what cannot work is refused, what may not work is warned of."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final

from alagg.values import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from alagg.config import Config, LinkConfig, PeerConfig
    from alagg.values import Network

READS_COPIES: Final = frozenset({"redundant"})
"""Schedulers that `copies` means something to."""
_MULTICAST: Final = ipaddress.IPv4Network("224.0.0.0/4")
READS_WEIGHT: Final = frozenset({"weighted"})
"""Schedulers that `weight` means something to."""


def contradiction(config: Config) -> str:
    """Say what cannot work, as "[section] key = value: why; allowed: what"; empty when nothing contradicts."""
    return next((line for check in (_capture, _copies, _rates, _own_places, _udp) for line in check(config)), "")


def warnings(config: Config) -> list[str]:
    """Say what may not work as it is meant, one line each, with the section and the option."""
    return [line for check in _DOUBTS for line in check(config)]


# --- what cannot work ---------------------------------------------------------------------------------------------


def _capture(config: Config) -> Iterator[str]:
    if config.capture == "device" and not config.manage_host:
        yield (
            "[alagg] capture = device: there is no device with manage_host = no; "
            "allowed: auto | nfqueue, or manage_host = yes"
        )


def _copies(config: Config) -> Iterator[str]:
    """Look at `copies`; what [alagg] says may be meant for only some of the peers."""
    for peer in config.peers:
        place, copies = f"[peer {peer.name}]", peer.copies
        if copies is None or _some_peer_can(config, copies):
            continue
        if peer.scheduler not in READS_COPIES and copies > 1:
            readers = " | ".join(sorted(READS_COPIES))
            yield (
                f"{place} copies = {copies}: {peer.scheduler} sends each packet once; "
                f"allowed: all, or scheduler = {readers}"
            )
        elif copies > len(peer.links):
            links = counted(len(peer.links), "link")
            yield f"{place} copies = {copies}: it has {links}; allowed: all, or at most as many"


def _some_peer_can(config: Config, copies: int) -> bool:
    return any(
        peer.copies == copies and peer.scheduler in READS_COPIES and copies <= len(peer.links)
        for peer in config.peers
    )


def _rates(config: Config) -> Iterator[str]:
    rates: dict[str, int] = {}
    for link in config.links:
        if link.rate is None or link.pacing != "tbf":
            continue
        if not link.interface:
            yield f"[link {link.name}] pacing = tbf: there is no interface to shape; allowed: sender, or an interface"
            continue
        if config.xdp == "yes":
            yield (
                f"[link {link.name}] pacing = tbf: xdp = yes sends past whatever shapes; "
                "allowed: pacing = sender, or xdp = auto | no"
            )
        if rates.setdefault(link.interface, link.rate) != link.rate:
            yield (
                f"[link {link.name}] rate: another link wants a different rate of {link.interface}; "
                "allowed: one rate for each interface"
            )


def _own_places(config: Config) -> Iterator[str]:
    """Look for what is said to be here and at the peer. A hub lets each peer send to the others by `networks`."""
    networks = config.networks if len(config.peers) == 1 else ()
    for key, places in (("addresses", config.addresses or ()), ("networks", networks)):
        for place in places:
            for peer in config.peers:
                if place in peer.destinations:
                    yield f"[alagg] {key} = {place}: is in [peer {peer.name}]'s destinations; allowed: on one side"


def _udp(config: Config) -> Iterator[str]:
    links = [link for link in config.links if link.type == "udp"]
    if links and config.workers > 1:
        yield f"[link {links[0].name}] type = udp: one worker reads its datagrams; allowed: workers = 1, or ethernet"
    ends: dict[object, str] = {}
    ports: dict[int, LinkConfig] = {}
    for link in (one for one in links if one.local is not None):
        local, place = link.local, f"[link {link.name}]"
        assert local is not None
        other = ends.setdefault((link.interface, local, link.remote or link.name), link.name)
        if other != link.name:
            yield (
                f"{place} remote = {link.remote}: is [link {other}]'s from the same local; "
                "allowed: each pair of local and remote once"
            )
        first = ports.setdefault(local.port, link)
        if bool(first.interface) != bool(link.interface):
            yield (
                f"{place} local = {local}: [link {first.name}] has this port, too; allowed: an interface for both or "
                "for none, or another port"
            )


# --- what may not work --------------------------------------------------------------------------------------------


def _pacing(config: Config) -> Iterator[str]:
    for link in config.links:
        if link.rate is None and link.pacing != "sender":
            yield f"[link {link.name}] pacing = {link.pacing}: without a rate it changes nothing"


def _wide(config: Config) -> Iterator[str]:
    """Look for destinations that take what no peer can be given; IPv6 has a route of its own for multicast."""
    for peer in config.peers:
        for network in peer.destinations:
            if network.version == 4 and network.overlaps(_MULTICAST):
                yield (
                    f"[peer {peer.name}] destinations = {network}: contains multicast ({_MULTICAST}), which is lost "
                    f"where no route of its own leads it elsewhere (ip route add {_MULTICAST} dev …)"
                )


def _weights(config: Config) -> Iterator[str]:
    for peer in config.peers:
        weighted = [link.name for link in peer.links if link.weight != 1]
        if weighted and peer.scheduler not in READS_WEIGHT:
            yield f"[link {weighted[0]}] weight: the scheduler {peer.scheduler} does not read it; it changes nothing"


def _backups(config: Config) -> Iterator[str]:
    for peer in config.peers:
        if peer.links and all(link.backup for link in peer.links):
            yield f"[link {peer.links[0].name}] backup = yes: each link of [peer {peer.name}] is one; no use"


def _caps(config: Config) -> Iterator[str]:
    for peer in config.peers:
        unused = [link.name for link in peer.links if link.cap is None and link.when_capped != "block"]
        if unused:
            yield f"[link {unused[0]}] when_capped: without a cap it changes nothing"
        if all(link.cap is not None and link.when_capped == "block" for link in peer.links):
            yield (
                f"[link {peer.links[0].name}] cap: each link of [peer {peer.name}] has one that blocks it; when all "
                "are used up, the peer is not reached"
            )


def _fewer_links(config: Config) -> Iterator[str]:
    for peer in config.peers:
        if peer.scheduler in READS_COPIES and peer.copies and peer.copies > len(peer.links):
            links = counted(len(peer.links), "link")
            yield f"[peer {peer.name}] copies = {peer.copies}: it has {links}; each packet goes on all"


def _overlaps(config: Config) -> Iterator[str]:
    for key, places in (("addresses", config.addresses or ()), ("networks", config.networks)):
        for place in places:
            for peer, wider in _around(place, config.peers):
                yield f"[alagg] {key} = {place}: lies within {wider}, which [peer {peer}] has in destinations"


def _around(place: Network, peers: Iterable[PeerConfig]) -> Iterator[tuple[str, Network]]:
    """Give the destinations, with their peers, that a place lies within."""
    for peer in peers:
        for network in peer.destinations:
            if network.version == place.version and network != place and place.subnet_of(network):  # type: ignore[arg-type]
                yield peer.name, network


def _families(config: Config) -> Iterator[str]:
    if config.addresses is None:
        return
    given = {address.version for address in config.addresses}
    wanted = {network.version for peer in config.peers for network in peer.destinations}
    for version in sorted(wanted - given):
        yield f"[alagg] addresses: has no IPv{version} address, though destinations have"


def _forwarding(config: Config) -> Iterator[str]:
    if "FORWARD" in config.chains and not config.networks:
        yield "[alagg] chains has FORWARD, but networks is empty: what peers send to hosts behind this one is refused"
    if config.networks and "FORWARD" not in config.chains:
        yield "[alagg] networks is set, but chains lacks FORWARD: what hosts behind this one send is not caught"


_DOUBTS: Final = (_weights, _backups, _pacing, _caps, _fewer_links, _overlaps, _wide, _families, _forwarding)
