"""Carried: what a worker tells of the bytes that its links with a cap have carried, both ways."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg import linktypes
from alagg.engine.events import LinkCarried

if TYPE_CHECKING:
    from alagg.config import Config, LinkConfig
    from alagg.engine.link import Link
    from alagg.worker import Worker

AT_ONCE: Final = 16
"""Links that are told of in one look, in turns."""
_ETHERNET: Final = 14
"""Bytes of an Ethernet header, which carriers of such links count."""


class Carried:
    """The links of a worker that have a cap."""

    def __init__(self, worker: Worker) -> None:
        """Nothing was told yet."""
        self.used: dict[tuple[str, str], tuple[int, str]] = {}
        """What the supervisor knows that each has used of its cap, over all workers, and until when that counts."""
        self._worker = worker
        self._config: Config | None = None
        self._links: list[tuple[LinkConfig, Link]] = []
        self._begun: dict[Link, int] = {}
        """What each had carried when it got its cap."""
        self._told: dict[Link, int] = {}

    def look(self) -> None:
        """Tell what has grown; what finds no room is told in the next look."""
        worker = self._worker
        if self._config is not worker.config:
            self._follow()
        told = 0
        for at, (config, link) in enumerate(self._links):
            size = carried(config, link) - self._begun[link]
            if size == self._told.get(link, 0):
                continue
            self._told[link] = size
            worker.on_event(LinkCarried(config.peer, config.name, size), worker.endpoint.settings.lane)
            told += 1
            if told == AT_ONCE:
                self._links = self._links[at + 1 :] + self._links[: at + 1]
                return

    def _follow(self) -> None:
        """Take another configuration; a link is counted from when it has a cap, or from the node's start."""
        first, self._config = self._config is None, self._worker.config
        peers = self._worker.endpoint.peers
        capped = [(one, peers[one.peer].links[one.name]) for one in self._config.links if one.cap is not None]
        self._links = capped
        self._begun = {link: self._begun.get(link, 0 if first else carried(one, link)) for one, link in capped}
        self._told = {link: self._told[link] for _, link in capped if link in self._told}


def carried(config: LinkConfig, link: Link) -> int:
    """Give the bytes that a link has carried, both ways, as its carrier counts them."""
    header = linktypes.overhead(config) or _ETHERNET
    return link.tx_bytes + link.rx_bytes + header * (link.tx_frames + link.rx_frames)
