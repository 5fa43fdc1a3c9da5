"""Detours: by which interfaces UDP links reach addresses that lie in destinations, whose routes lead to the node."""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING, Final

from alagg.system import routes
from alagg.values import address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.config import Config
    from alagg.messages import Names
    from alagg.values import Address

_LOOPBACK: Final = 1


def find(config: Config, names: Names, device: int) -> tuple[tuple[str, int], ...]:
    """Give each such address with the index of the interface that leads there best; 0 where none does.

    Args:
        config: links that are bound to an interface need no detour.
        names: what the names of remotes stand for.
        device: the index of the node's own device, whose routes do not count; 0 for none.
    """
    wanted = dict.fromkeys(one for one in _remotes(config, names) if _is_inside(one, config)) if device else {}
    if not wanted:
        return ()
    others = [index for index, _ in socket.if_nameindex() if index not in (device, _LOOPBACK)]
    with closing(routes.Questions()) as questions:
        return tuple((str(one), _best(questions, one, others)) for one in wanted)


def _remotes(config: Config, names: Names) -> Iterator[Address]:
    for link in config.links:
        if link.type == "udp" and link.remote is not None and not link.interface:
            if link.remote.ip is not None:
                yield link.remote.ip
            else:
                yield from map(address, names.found.get(link.remote.host, ()))


def _is_inside(one: Address, config: Config) -> bool:
    networks = (network for peer in config.peers for network in peer.destinations)
    return any(one.version == network.version and one in network for network in networks)


def _best(questions: routes.Questions, target: Address, others: list[int]) -> int:
    ways = [way for index in others if (way := questions.match(target, index)) and way.kind != routes.LOCAL]
    best = max(ways, key=lambda way: (way.destination.prefixlen, -way.metric), default=None)
    return best.interface if best else 0
