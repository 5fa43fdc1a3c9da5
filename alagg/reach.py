"""Reach: which peers no link leads to, so that their packets go by the host's own routes (`when_unreachable`).

Back and forth costs nothing while either way carries, so a peer is given up as soon as its last link is, and taken
back as soon as one is up. One that comes and goes has to stay up for longer each time, so that nothing flaps.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

GRACE: Final = 1.2
"""Seconds for which a link counts of which nothing was heard yet."""
FLAPS: Final = 60.0
"""Seconds in which returns are counted."""
HOLD: Final = 1.0
"""Seconds for which a peer must be reached after its second return within that time; doubled with each more."""
LONGEST_HOLD: Final = 30.0
"""The longest such time."""
CARRIES: Final = frozenset(("up", "standby"))
"""States, as they are told of, in which a link leads to the peer."""


class _Peer:
    def __init__(self) -> None:
        self.links: dict[str, tuple[str, float]] = {}
        """What was heard last of each link, nothing at first, and when."""
        self.lost = False
        self.held_until = float("-inf")
        """While it is reached again, and has not been for long enough."""
        self.returned = False
        self.returns: deque[float] = deque(maxlen=16)

    def is_reached(self, now: float) -> bool:
        return any(state in CARRIES or (not state and now < since + GRACE) for state, since in self.links.values())

    def look(self, now: float) -> float:
        """See what has become of it; give when to look again."""
        if not self.is_reached(now):
            self.lost, self.returned = True, False
        elif self.lost:
            if not self.returned:
                self._return(now)
            self.lost = self.returned = now < self.held_until
        ends = [since + GRACE for state, since in self.links.values() if not state and since + GRACE > now]
        return min([*ends, self.held_until if self.lost and self.returned else float("inf")])

    def _return(self, now: float) -> None:
        self.returned = True
        while self.returns and now - self.returns[0] > FLAPS:
            self.returns.popleft()
        self.returns.append(now)
        count = len(self.returns)
        self.held_until = now + min(HOLD * 2.0 ** (count - 2), LONGEST_HOLD) if count > 1 else now


class Reach:
    """What is known of all peers."""

    def __init__(self) -> None:
        """Know of none."""
        self._peers: dict[str, _Peer] = {}
        self.due = float("inf")
        """When to look again."""

    def keep(self, links: Sequence[tuple[str, str]], now: float) -> None:
        """Take all links, by peer and name; of those that were there before what was heard stays known."""
        old = {name: peer.links for name, peer in self._peers.items()}
        self._peers = {name: self._peers.get(name) or _Peer() for name, _ in links}
        for peer in self._peers.values():
            peer.links = {}
        for name, link in links:
            self._peers[name].links[link] = old.get(name, {}).get(link, ("", now))
        self.due = now

    def heard(self, peer: str, link: str, state: str, now: float) -> None:
        """Take what has become of a link; of links that are gone, nothing."""
        known = self._peers.get(peer)
        if known is not None and link in known.links:
            known.links[link] = state, now
            self.due = now

    def lost(self, now: float) -> frozenset[str]:
        """Give the peers that are not reached, or not for long enough yet."""
        self.due = min((peer.look(now) for peer in self._peers.values()), default=float("inf"))
        return frozenset(name for name, peer in self._peers.items() if peer.lost)
