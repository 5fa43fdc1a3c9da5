"""Holding: links that could carry and do not yet, or not now: new ones without an answer, and backups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.engine.state import HOLDS, NEW, SHUT, STANDBY, UP

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alagg.engine.link import Link
    from alagg.engine.peer import Peer


def try_first(peer: Peer, links: Sequence[Link], now: float) -> None:
    """Begin anew with links that come while packets flow, or lead elsewhere: the peer must answer there first.

    Workers that do not watch the links are told what comes of it, and ask for nothing here.
    """
    for link in links:
        holds = peer.monitors[link].holds
        link.become(NEW, "the peer has not answered yet")
        link.answering, link.path_mtu, link.rtt, link.base_rtt = False, 0, 0.0, 0.0
        peer.monitors[link] = peer.new_monitor(link, now)
        for state, why in holds.items():
            peer.hold(link, state, why, now)


def hold_all(peer: Peer, holds: Mapping[str, Mapping[str, str]], now: float) -> bool:
    """Hold links back, by their names, and no others; say whether that changes anything.

    Args:
        peer: whose links they are.
        holds: of each link the states of `alagg.engine.state.HOLDS` that it shall be in, each with the reason in
            words. What shall be in `STANDBY` carries while no other link can: `balance` sees to that.
        now: the time.
    """
    resting = {name: held[STANDBY] for name, held in holds.items() if STANDBY in held and name in peer.links}
    changed, peer.resting = resting != peer.resting, resting
    for name, link in peer.links.items():
        held, known = holds.get(name, {}), peer.monitors[link].holds
        for state in (one for one in HOLDS if one in SHUT and held.get(one) != known.get(one)):
            peer.hold(link, state, held.get(state, ""), now)
            changed = True
    return changed


def balance(peer: Peer, now: float) -> None:
    """Let a peer's backups rest while one of its other links is up, and carry as soon as none is, or one is in doubt.

    Links that shall rest for another reason are backups, too. What is held back more strongly stays so.
    """
    backups = {peer.links[one.name]: "a backup" for one in peer.settings.links if one.backup}
    backups |= {link: peer.resting[name] for name, link in peer.links.items() if name in peer.resting}
    carrying = [link.name for link in peer.links.values() if link not in backups and link.state == UP]
    for link, monitor in peer.monitors.items():
        rests, why = STANDBY in monitor.holds, backups.get(link, "")
        if why and carrying:
            if not rests or not monitor.holds[STANDBY].startswith(why):
                peer.hold(link, STANDBY, f"{why}: not needed while {carrying[0]} is up", now)
        elif rests:
            peer.hold(link, STANDBY, "", now)
