"""Holding: links that could carry and do not yet, or not now: new ones without an answer, and backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.engine.state import NEW, STANDBY, UP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.engine.link import Link
    from alagg.engine.peer import Peer


def try_first(peer: Peer, links: Sequence[Link], now: float) -> None:
    """Begin anew with links that come while packets flow, or lead elsewhere: the peer must answer there first.

    Workers that do not watch the links are told what comes of it, and ask for nothing here.
    """
    for link in links:
        wants, why = peer.monitors[link].wants, link.reason
        link.become(NEW, "the peer has not answered yet")
        link.answering, link.path_mtu, link.rtt, link.base_rtt = False, 0, 0.0, 0.0
        peer.monitors[link] = peer.new_monitor(link, now)
        if wants:
            peer.hold(link, wants, why, now)


def balance(peer: Peer, now: float) -> None:
    """Let a peer's backups rest while one of its other links is up, and carry as soon as none is, or one is in doubt.

    What the operator holds back stays so.
    """
    backups = [peer.links[one.name] for one in peer.settings.links if one.backup]
    carrying = [link.name for link in peer.links.values() if link not in backups and link.state == UP]
    for link, monitor in peer.monitors.items():
        if link in backups and carrying:
            if not monitor.wants:
                peer.hold(link, STANDBY, f"a backup: not needed while {carrying[0]} is up", now)
        elif monitor.wants == STANDBY:
            peer.release(link, now)
