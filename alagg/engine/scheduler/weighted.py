"""Weighted: each packet on one link, so that the links' bytes are to each other as their weights, all the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.engine.scheduler.base import Run, Scheduler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link
    from alagg.engine.pacer import Pacer


class Weighted(Scheduler):
    """Gives each link its share of the bytes, to within the largest packet at any moment.

    With each packet every link earns its share of the packet's bytes as credit; the one that takes the packet pays
    for all of it. Only a link that has credit takes one, and of these the one whose credit would be the first to
    exceed a whole packet (R. Tijdeman, The chairman assignment problem, 1980, with bytes for turns). Links that do
    not answer have no share; when the links change, all begin anew.
    """

    def __init__(self, copies: int | None) -> None:
        """Take the number of copies, which means nothing here: there is one of each packet."""
        super().__init__(copies)
        self._sharing: list[Link] = []
        self._pending: Link | None = None
        """Who has paid for the next packet, and had no room for it yet."""
        self._total = 0.0
        """All their weights."""
        self._largest = 1.0
        """Bytes of the largest packet so far."""

    def schedule(self, payloads: list[bytes], links: Sequence[Link], now: float) -> list[Run]:  # noqa: ARG002
        """Lay the batch on links, packet by packet."""
        if not links:
            return [Run(len(payloads), ())]
        self._share_among(links)
        runs: list[Run] = []
        previous: Link | None = None
        length = 0
        for payload in payloads:
            link = self._next(len(payload))
            if link is not previous and previous is not None:
                runs.append(Run(length, (previous,)))
                length = 0
            previous = link
            length += 1
        if previous is not None:
            runs.append(Run(length, (previous,)))
        return runs

    def pick(self, pacers: Sequence[Pacer], size: int, now: float) -> tuple[Pacer, ...]:
        """Give one packet to the link whose share asks for it, and wait for its room: so the shares stay exact."""
        self._share_among([pacer.link for pacer in pacers])
        if self._pending not in self._sharing:
            self._pending = self._next(size)
        for pacer in pacers:
            if pacer.link is self._pending:
                if not pacer.has_room(now):
                    return ()
                self._pending = None
                return (pacer,)
        return ()

    def _share_among(self, links: Sequence[Link]) -> None:
        """Take the links that answer, or all when none does."""
        total = 0.0
        sharing = [link for link in links if link.answering] or list(links)
        for link in sharing:
            total += link.weight
        if sharing != self._sharing or total != self._total:
            self._sharing, self._total = sharing, total
            for link in sharing:
                link.credit = 0.0

    def _next(self, size: int) -> Link:
        """Choose the link for a packet of so many bytes."""
        self._largest = max(self._largest, size)
        chosen: Link = self._sharing[0]
        earliest = float("inf")
        for link in self._sharing:
            share = link.weight / self._total
            link.credit += size * share
            if link.credit > 0.0:
                deadline = (self._largest - link.credit) / share
                if deadline < earliest:
                    chosen, earliest = link, deadline
        chosen.credit -= size
        return chosen
