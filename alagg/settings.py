"""Settings: what the engine has to know of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg import linktypes
from alagg.engine.header import SIZE
from alagg.engine.peer import LinkSettings, PeerSettings

if TYPE_CHECKING:
    from alagg.config import Config, LinkConfig, PeerConfig

ETHERNET: Final = 14
"""Bytes of an Ethernet header."""
UDP: Final = 28
"""Bytes of the headers of IPv4 and UDP."""


Known = dict[str, tuple["PeerConfig", PeerSettings]]
"""Each peer's settings, and what they were made from, by its name."""


def peer_settings(config: Config) -> list[PeerSettings]:
    """Translate the configuration into what the engine has to know."""
    return [settings for _, settings in translated(config).values()]


def translated(config: Config, known: Known | None = None) -> Known:
    """Translate the configuration; of peers that are the very same as in `known`, give what that says."""
    found: Known = {}
    for peer in config.peers:
        before = (known or {}).get(peer.name)
        found[peer.name] = before if before is not None and before[0] is peer else (peer, _settings(peer, config))
    return found


def _settings(peer: PeerConfig, config: Config) -> PeerSettings:
    return PeerSettings(
        peer.name,
        peer.destinations,
        tuple(_link_settings(link, config) for link in peer.links),
        peer.scheduler,
        peer.copies,
        peer.reorder_timeout,
    )


def _link_settings(link: LinkConfig, config: Config) -> LinkSettings:
    """Translate a link; workers know nothing of each other's frames, so each has an equal part of a rate."""
    rate = link.rate if link.rate is not None and link.pacing == "sender" else 0
    overhead = ETHERNET + UDP if link.type == "udp" else ETHERNET
    share = rate / 8 / config.workers
    introduces = link.type != "udp" or link.remote is not None
    way = linktypes.way(link)
    return LinkSettings(
        link.name, SIZE, link.weight, share, overhead, introduces=introduces, backup=link.backup, way=way,
    )  # fmt: skip
