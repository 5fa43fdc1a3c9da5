"""What time does to a link: it is asked when idle, suspected when late, tested when it comes back, and given up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.stream.core.dispatch import carriers
from alagg.stream.core.link import BLOCKED, SILENT, SUSPECT, UP, WARY

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.stream.core.connection import Connection
    from alagg.stream.core.link import Link

SILENCE: Final = 1.0
"""Seconds without a byte after which a suspect link is called silent."""


def when(link: Link, connection: Connection, among: Sequence[Link]) -> float:
    """Give when `look` has something to do; `among` are the links that may carry."""
    settings = connection.settings
    times = [link.heard_at + settings.link_timeout]
    if link.ping_token is None:
        # Never before the last answer: heard_at may be far back where only the clock has moved.
        times.append(link.heard_at + settings.idle_ping)
        if link.state == WARY:
            times.append(link.test_at)
    if link.state == SUSPECT:
        times.append(max(link.heard_at, link.suspect_at) + SILENCE)
    if link.ring and link.state in (UP, BLOCKED) and _others(link, among):
        times.append(max(link.ring[0].due, link.check_at))
    if link.state == UP and link.trial_at and connection.outgoing.has_fresh() and link.has_room():
        times.append(link.trial_at)
    return min(times)


def _others(link: Link, among: Sequence[Link]) -> bool:
    return len(among) > 1 or (bool(among) and among[0] is not link)


def look(link: Link, connection: Connection, now: float) -> None:
    """Do for a link what its time makes necessary."""
    settings = connection.settings
    if now >= link.heard_at + settings.link_timeout:
        connection.lost(link, f"nothing came for {settings.link_timeout:g} seconds", now)
        return
    if now >= link.heard_at + settings.idle_ping or (link.state == WARY and now >= link.test_at):
        connection.ping(link, now)
    if link.state == SUSPECT and now >= max(link.heard_at, link.suspect_at) + SILENCE:
        link.state = SILENT
    late = link.ring and link.state in (UP, BLOCKED) and now >= max(link.ring[0].due, link.check_at)
    if late and _others(link, carriers(connection.links)):
        _late(link, connection, now)
    if 0 < link.trial_at <= now:
        link.trial_at = 0.0


def _late(link: Link, connection: Connection, now: float) -> None:
    """Send again what is overdue on a link that still moves; suspect one that does not."""
    estimate = link.estimate
    patience = max(connection.settings.patience, estimate.smoothed + 4 * estimate.variation)
    hopeless_at = max(link.progress_at, link.ring[0].at) + patience
    if now >= hopeless_at:
        link.suspect(now, "late with its acknowledgements")
        connection.send_again(link)
        connection.ping(link, now)
        connection.tell("link-suspect", link, now)
        return
    link.check_at = min(now + patience / 2, hopeless_at)
    for sent in link.ring:
        if sent.due > now:
            break
        if sent.segment.carrier is link:
            connection.outgoing.again(sent.segment)
