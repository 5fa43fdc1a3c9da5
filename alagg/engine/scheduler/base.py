"""What every scheduler offers to the sender."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link


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
