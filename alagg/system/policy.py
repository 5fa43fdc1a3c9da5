"""Policy routing: rules (ip rule) that lead packets for a destination past the table that has the node's routes."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from alagg.system import netlink, routes
from alagg.system.sources import first_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.config import Config, Network
    from alagg.system.netlink import Address

_USUAL: Final = frozenset((253, 254, 255))
"""The tables default, main and local (linux/rtnetlink.h)."""


def examine(config: Config) -> Iterator[tuple[str, str]]:
    """Say which packets pass by the node's routes, one line each with what to do."""
    with closing(routes.Questions()) as questions:
        for peer in config.peers:
            for network in peer.destinations:
                target = first_host(network)
                for source in _sources(config, target):
                    way = questions.match(target, source=source)
                    if way is not None and way.table not in _USUAL:
                        yield _told(peer.name, source, network, way.table)


def _told(peer: str, source: Address, network: Network, table: int) -> tuple[str, str]:
    where = f"from {source} to {network} go by table {table}"
    command = "ip -6 rule" if network.version == 6 else "ip rule"
    what = f"peer {peer}: a rule (ip rule) has packets {where}, past the node's routes in main"
    return what, f"{command} add to {network} lookup main pref …, before that rule"


def _sources(config: Config, target: Address) -> list[Address]:
    """Give the addresses that packets to a target come from."""
    given = [one.network_address for one in config.addresses or () if one.version == target.version]
    usual = netlink.source_address(target)
    own = netlink.local_addresses()
    return list(dict.fromkeys(one for one in (usual, *given) if one in own))
