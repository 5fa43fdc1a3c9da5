"""Redundant: every packet on all links, or on `copies` of them in turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.engine.scheduler.base import Run, Scheduler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link


class Redundant(Scheduler):
    """Sends `copies` of each packet, each on another link (IEEE 802.1CB, replication)."""

    def __init__(self, copies: int | None) -> None:
        """Take the number of copies, 1 or more; None for one on every link."""
        super().__init__(copies)
        self._first = 0

    def schedule(self, payloads: list[bytes], links: Sequence[Link], now: float) -> list[Run]:  # noqa: ARG002
        """Choose all links, or the next `copies` of them; each batch starts one link further."""
        if self.copies is None or self.copies >= len(links):
            return [Run(len(payloads), tuple(links))]
        first = self._first % len(links)
        self._first = first + 1
        around = (*links, *links)
        return [Run(len(payloads), around[first : first + self.copies])]
