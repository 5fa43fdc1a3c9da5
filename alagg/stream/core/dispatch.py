"""Which link carries the next segment: the one on which it arrives earliest, among those that have room.

A segment is bound to a link only when the link has room, so what waits, waits here and can still go anywhere. A link
that would deliver much later than the best one is left out where it adds little, or where the peer's window could not
hold what overtakes it; now and then it is given a copy of a single segment, as a trial.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.stream.core.link import NEW, TRIAL, UP, WARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.stream.core.link import Link

DELAY: Final = 0.1
"""Seconds by which a link that adds little may be later than the best one."""
LITTLE: Final = 0.05
"""Part of the sum of all rates under which a link adds little."""


def carriers(links: Sequence[Link]) -> list[Link]:
    """Give the links that may carry: those that are up; where there are none, new ones; else wary ones."""
    up = [link for link in links if link.state == UP]
    if up:
        return up
    by_state: dict[str, list[Link]] = {NEW: [], WARY: []}
    for link in links:
        # A new link is up for the first time when its ping is back; it never was blocked by an answer.
        if link.state in by_state and not (link.held_here or link.held_there):
            by_state[link.state].append(link)
    return by_state[NEW] or by_state[WARY]


def choose(among: Sequence[Link], size: int, room: int, now: float) -> Link | None:
    """Choose the link for a segment of at most `size` bytes.

    Args:
        among: links that may carry.
        size: bytes; a link's own segment size may be smaller.
        room: bytes that the peer's window holds beyond what is sent already.
        now: seconds.

    Returns:
        The link, or None where none has room that should be used.
    """
    if len(among) == 1:
        return among[0] if among[0].has_room() else None
    best: Link | None = None
    earliest = best_arrival = float("inf")
    total = 0.0
    for link in among:
        estimate = link.estimate
        arrival = estimate.arrival(link.unacknowledged, min(size, estimate.segment))
        total += estimate.guess
        earliest = min(earliest, arrival)
        if arrival < best_arrival and link.has_room():
            best, best_arrival = link, arrival
    if best is None or _worth(best, best_arrival - earliest, total, room):
        return best
    if now < best.trial_at:
        return None
    best.trial_at = now + TRIAL
    return best


def is_tried(link: Link, now: float) -> bool:
    """Tell whether `choose` has just given it a segment as a trial, which another link should carry as well."""
    return link.trial_at == now + TRIAL


def _worth(link: Link, later: float, total: float, room: int) -> bool:
    """Tell whether a link should be used that is `later` seconds behind the best one."""
    if later > DELAY and link.estimate.guess < LITTLE * total:
        return False
    return later * total < max(room, 1 << 17)
