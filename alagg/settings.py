"""Settings: what the engine has to know of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.header import SIZE
from alagg.engine.peer import LinkSettings, PeerSettings

if TYPE_CHECKING:
    from alagg.config import Config, LinkConfig

ETHERNET: Final = 14
"""Bytes of an Ethernet header."""
UDP: Final = 28
"""Bytes of the headers of IPv4 and UDP."""


def peer_settings(config: Config) -> list[PeerSettings]:
    """Translate the configuration into what the engine has to know."""
    return [
        PeerSettings(
            peer.name,
            peer.destinations,
            tuple(_link_settings(link, config) for link in peer.links),
            peer.scheduler,
            peer.copies,
            peer.reorder_timeout,
        )
        for peer in config.peers
    ]


def _link_settings(link: LinkConfig, config: Config) -> LinkSettings:
    """Translate a link; workers know nothing of each other's frames, so each has an equal part of a rate."""
    rate = link.rate if link.rate is not None and link.pacing == "sender" else 0
    overhead = ETHERNET + UDP if link.type == "udp" else ETHERNET
    share = rate / 8 / config.workers
    return LinkSettings(link.name, SIZE, link.weight, share, overhead, introduces=link.remote is not None)
