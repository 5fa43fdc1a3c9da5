"""What the engine tells the node: rare things that an operator wants to read, never one line per packet."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LinkStateChanged:
    """A link began or ceased to carry frames both ways."""

    peer: str
    link: str
    state: str
    """One of `alagg.engine.link.STATES`."""
    reason: str
    """Why, in words; empty when the link is up."""


@dataclass(frozen=True)
class NumberingReset:
    """Another stream of numbers took over: the peer was restarted, or its numbers jumped."""

    peer: str
    lane: int
    epoch: int


@dataclass(frozen=True)
class LatentError:
    """Copies are missing although no packet is lost: redundancy is gone in silence (IEEE 802.1CB, 7.4.4)."""

    peer: str
    expected: int
    """Copies that (links - 1) x passed packets should have brought in the period."""
    discarded: int
    """Copies that came."""


Event = LinkStateChanged | NumberingReset | LatentError
