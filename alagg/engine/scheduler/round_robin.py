"""Round-robin: each packet on one link, in turns of equal length, so that the links' rates add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.scheduler.base import Run, Scheduler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link
    from alagg.engine.pacer import Pacer

TURN: Final = 16
"""Packets that a link takes in its turn: short beside the queues on the way, long enough to be merged again."""

# The same again for C: other modules cannot see what the .pxd declares.
_TURN: Final = TURN


class RoundRobin(Scheduler):
    """Gives the links their turns. A link that does not answer has none, one that was just full misses a batch."""

    def __init__(self, copies: int | None) -> None:
        """Take the number of copies, which means nothing here: there is one of each packet."""
        super().__init__(copies)
        self._turn = 0
        self._left = _TURN
        """Packets that are left of the present turn."""

    def schedule(self, payloads: list[bytes], links: Sequence[Link], now: float) -> list[Run]:  # noqa: ARG002
        """Lay the batch on links, turn by turn; a turn goes on in the next batch."""
        runs: list[Run] = []
        resting: list[Link] = []
        remaining = len(payloads)
        while remaining and links:
            link = self._whose_turn(links, resting)
            length = min(remaining, self._left)
            runs.append(Run(length, (link,)))
            remaining -= length
            self._left -= length
            if not self._left:
                self._pass_on(1, len(links))
        for link in resting:
            link.full = False
        return runs or [Run(remaining, ())]

    def pick(self, pacers: Sequence[Pacer], size: int, now: float) -> tuple[Pacer, ...]:  # noqa: ARG002
        """Give one packet to the next link with room; it keeps its turn."""
        count = len(pacers)
        none_answers = not any(pacer.link.answering for pacer in pacers)
        for ahead in range(count):
            pacer = pacers[(self._turn + ahead) % count]
            if (pacer.link.answering or none_answers) and pacer.has_room(now):
                self._pass_on(ahead, count)
                self._left -= 1
                if not self._left:
                    self._pass_on(1, count)
                return (pacer,)
        return ()

    def _whose_turn(self, links: Sequence[Link], resting: list[Link]) -> Link:
        """Go to the next link that can have a turn, and note who is passed over; nobody else is looked at.

        When all that answer are full, they are tried all the same, and when none answers, each in its turn.
        """
        count = len(links)
        for ahead in range(count):
            link = links[(self._turn + ahead) % count]
            if link.answering and not link.full:
                self._pass_on(ahead, count)
                return link
            resting.append(link)
        for link in links:
            link.full = False
        for ahead in range(count):
            link = links[(self._turn + ahead) % count]
            if link.answering:
                self._pass_on(ahead, count)
                return link
        return links[self._turn % count]

    def _pass_on(self, ahead: int, count: int) -> None:
        """Give the turn to the link so many places ahead."""
        if ahead:
            self._turn = (self._turn + ahead) % count
            self._left = _TURN
