"""Passing: hands packets for peers that no link leads to over to the host's own routes, and takes them back."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from alagg.reach import Reach

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.config import Config
    from alagg.engine.events import LinkStateChanged

PAUSE: Final = 0.1
"""Seconds between two looks: a thousand peers may come at the same time."""

AGAIN: Final = 1.0
"""Seconds after which the host is asked again that has refused."""

log = logging.getLogger(__name__)


class Passing:
    """Follows the links, and has the host follow."""

    def __init__(
        self,
        let_go: Callable[[frozenset[str]], list[str] | None],
        call_in: Callable[[float, Callable[[], None]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Know of no peers.

        Args:
            let_go: leaves packets for some peers to the host's own routes, and says for which there are any; None
                where the host refused it, and has said so.
            call_in: calls something later.
            clock: gives the time in seconds.
        """
        self.names: list[str] = []
        """Peers whose packets go by the host's own routes."""
        self._let_go = let_go
        self._call_in = call_in
        self._clock = clock
        self._reach = Reach()
        self._passes = False
        self._lost: frozenset[str] = frozenset()
        self._looked = float("-inf")
        self._next = float("inf")
        """When the next look is."""

    def keep(self, config: Config) -> None:
        """Take another configuration."""
        self._passes = config.when_unreachable == "pass"
        self._reach.keep([(link.peer, link.name) for link in config.links], self._clock())
        self._look_in_time()

    def heard(self, event: LinkStateChanged) -> None:
        """Take what has become of a link."""
        self._reach.heard(event.peer, event.link, event.state, self._clock())
        self._look_in_time()

    def _look_in_time(self) -> None:
        wanted = max(self._reach.due, self._looked + PAUSE)
        if wanted < self._next:
            self._next = wanted
            self._call_in(max(wanted - self._clock(), 0.0), self._look)

    def _look(self) -> None:
        now = self._clock()
        if now < self._next:  # a sooner look has been at it
            return
        self._looked, self._next = now, float("inf")
        lost = self._reach.lost(now)
        if not self._passes:
            lost = frozenset()
        if lost != self._lost:
            names = self._let_go(lost)
            if names is None:
                self._next = now + AGAIN
                self._call_in(AGAIN, self._look)
            else:
                self._lost = lost
                self._tell(names)
        self._look_in_time()

    def _tell(self, names: list[str]) -> None:
        before, self.names = self.names, names
        for name in sorted({*names} - {*before}):
            log.warning("peer %s: no link works, its packets go by this host's own routes", name)
        for name in sorted({*before} - {*names}):
            log.info("peer %s: its packets go by its links again", name)
