"""Round-robin: each packet on one link, in turns of equal length, so that the links' rates add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.scheduler.base import Run, Scheduler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link

TURN: Final = 16
"""Packets that a link takes in its turn: short beside the queues on the way, long enough to be merged again."""


class RoundRobin(Scheduler):
    """Gives the links their turns. A link that does not answer has none, one that was just full misses one."""

    def __init__(self, copies: int | None) -> None:
        """Take the number of copies, which means nothing here: there is one of each packet."""
        super().__init__(copies)
        self._turn = 0
        self._left = TURN

    def schedule(self, payloads: list[bytes], links: Sequence[Link], now: float) -> list[Run]:  # noqa: ARG002
        """Lay the batch on links, turn by turn; a turn goes on in the next batch."""
        ready = _ready(links)
        runs: list[Run] = []
        remaining = len(payloads)
        while remaining and ready:
            length = min(remaining, self._left)
            runs.append(Run(length, (ready[self._turn % len(ready)],)))
            remaining -= length
            self._left -= length
            if not self._left:
                self._turn = (self._turn + 1) % len(ready)
                self._left = TURN
        return runs or [Run(remaining, ())]


def _ready(links: Sequence[Link]) -> list[Link]:
    """Give the links that should have turns in this batch; as long as any is open, there are some."""
    answering = [link for link in links if link.answering] or list(links)
    ready = [link for link in answering if not link.full] or answering
    for link in answering:
        link.full = False
    return ready
