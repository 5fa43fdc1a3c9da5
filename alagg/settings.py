"""Settings: what the engine has to know of a configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.engine.header import SIZE
from alagg.engine.peer import LinkSettings, PeerSettings

if TYPE_CHECKING:
    from alagg.config import Config


def peer_settings(config: Config) -> list[PeerSettings]:
    """Translate the configuration into what the engine has to know."""
    return [
        PeerSettings(
            peer.name,
            peer.destinations,
            tuple(LinkSettings(link.name, SIZE, link.weight) for link in peer.links),
            peer.scheduler,
            peer.copies,
            peer.reorder_timeout,
        )
        for peer in config.peers
    ]
