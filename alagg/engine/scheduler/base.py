"""What every scheduler offers to the sender."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.engine.pacer import BACKLOG

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link
    from alagg.engine.pacer import Pacer


class Run:
    """Consecutive packets that go over the same links."""

    def __init__(self, length: int, links: tuple[Link, ...]) -> None:
        """Take how many packets they are, 1 or more, and the links that each is sent on.

        Without a link none of them can be sent.
        """
        self.length = length
        self.links = links


class Scheduler:
    """Decides over which links the packets of one peer go."""

    def __init__(self, copies: int | None) -> None:
        """Take `copies`: on how many links a packet is wanted, None for all; those without redundancy ignore it."""
        self.copies = copies
        self.measures = False
        """Whether packets are given out late, by what was measured of the links, even where none has a rate."""
        self.waiting = 0
        """Bytes that wait behind the packet that is next, told before `pick`."""
        self.urgent = False
        """Whether that is one of few of its flow, told before `pick`: it should not wait for a slow link."""
        self.skew = 0.0
        """Seconds that packets may be waiting since a slower link would be no better; for who measures."""

    def schedule(self, payloads: list[bytes], links: Sequence[Link], now: float) -> list[Run]:
        """Lay a batch on links.

        Args:
            payloads: the packets (or pieces) in the order of their numbers.
            links: the peer's links that are up, in the configuration's order; may be empty.
            now: the time in seconds.

        Returns:
            Runs whose lengths add up to `len(payloads)`.
        """
        raise NotImplementedError

    def pick(self, pacers: Sequence[Pacer], size: int, now: float) -> tuple[Pacer, ...]:  # noqa: ARG002
        """Choose the links of one packet of `size` bytes, where links have rates; none: it has to wait.

        Here: copies on all, or on the first ones of those that answer, the fastest round trip first. The one with the
        highest rate says when; a slower one gets no copy while its own queue is full.
        """
        ranked = sorted(pacers, key=_rank)[: self.copies]
        leader = max(ranked, key=_lead)
        if not leader.has_room(now):
            return ()
        return tuple([pacer for pacer in ranked if pacer is leader or pacer.has_room(now, 2 * BACKLOG)])

    def idle(self, now: float) -> None:
        """Take that nothing waits: the links carry more than there is."""


def _rank(pacer: Pacer) -> tuple[bool, float]:
    return not pacer.link.answering, pacer.link.rtt


def _lead(pacer: Pacer) -> tuple[bool, float]:
    return pacer.link.answering, pacer.rate or float("inf")
