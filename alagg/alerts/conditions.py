"""Conditions: what is wrong with a node, from what it says of itself; each is an alert while it lasts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from alagg.verdict import is_lossy, percent

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Status = Mapping[str, Any]

INFO: Final = 1
WARNING: Final = 2
CRITICAL: Final = 3

SETTLE: Final = {"link_lossy": 10.0, "link_slow": 30.0, "overload": 0.0}
"""Seconds for which a condition of this kind must have held; others count at once."""
LINGER: Final = 10.0
"""Seconds after which such a condition that holds no more has ended."""
NEAR: Final = 0.8
"""Share of its cap from which a link is near it."""
SLOW: Final = 3.0
"""Times the usual round trip from which a link is slow ..."""
SLOW_MS: Final = 20.0
"""... and milliseconds by which it must be above the usual."""
USUAL: Final = 1800.0
"""Seconds that the usual round trip looks back on, about."""
_OVERLOAD: Final = (
    ("capture", "dropped_queue_full"), ("capture", "dropped_buffer_full"), ("injector", "not_captured"),
)  # fmt: skip
_EVENTS: Final = {
    "latent_error": ("redundancy_lost", WARNING),
    "numbering_reset": ("peer_restarted", INFO),
    "not_reloaded": ("not_reloaded", WARNING),
    "clock_jumped": ("clock_jumped", INFO),
}
"""Kinds of events that people are told of."""


class Alert(NamedTuple):
    """Something that is wrong, or has happened."""

    kind: str
    subject: str
    """What it is about: a peer, PEER/LINK, or nothing where it is the node."""
    severity: int
    """`INFO`, `WARNING` or `CRITICAL`."""
    text: str

    @property
    def key(self) -> tuple[str, str]:
        """What stays the same while its words change."""
        return self.kind, self.subject


class Conditions:
    """What is wrong now, and what has happened."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._now: dict[tuple[str, str], Alert] = {}
        self._since: dict[tuple[str, str], float] = {}
        self._last: dict[tuple[str, str], tuple[float, Alert]] = {}
        self._usual: dict[tuple[str, str], float] = {}
        self._looked: float | None = None
        self._lost: int | None = None
        self._happened: list[Alert] = []

    def look(self, status: Status, now: float) -> None:
        """Go by what a node says; `now` in seconds of any clock that only goes forwards."""
        passed = 0.0 if self._looked is None else now - self._looked
        found = [*_peers(status), *self._links(status, passed), *self._overload(status)]
        self._now = {alert.key: alert for alert in found}
        self._since = {key: self._since.get(key, now) for key in self._now}
        for key, alert in self._now.items():
            if alert.kind in SETTLE and now - self._since[key] >= SETTLE[alert.kind]:
                self._last[key] = (now, alert)
        self._looked = now

    def hear(self, event: Mapping[str, Any]) -> None:
        """Go by something that has happened."""
        if event["kind"] in _EVENTS:
            kind, severity = _EVENTS[event["kind"]]
            self._happened.append(Alert(kind, str(event.get("peer", "")), severity, str(event["text"])))

    def active(self, now: float) -> dict[tuple[str, str], Alert]:
        """Give what is wrong now, by what stays the same of it."""
        self._last = {key: (seen, alert) for key, (seen, alert) in self._last.items() if now - seen < LINGER}
        steady = {key: alert for key, (_, alert) in self._last.items()}
        return {**{key: alert for key, alert in self._now.items() if alert.kind not in SETTLE}, **steady}

    def happened(self) -> list[Alert]:
        """Give what has happened since the last call."""
        found, self._happened = self._happened, []
        return found

    def _links(self, status: Status, passed: float) -> Iterator[Alert]:
        for link in status.get("links", ()):
            peer, name, state = str(link.get("peer", "")), str(link.get("name", "")), str(link.get("state", ""))
            subject, words = f"{peer}/{name}", f"link {name} to {peer}"
            yield from _capped(link, subject, words)
            if state in ("down", "silent"):
                reason = f": {link['reason']}" if link.get("reason") else ""
                yield Alert("link_down", subject, WARNING, f"{words} is {state}{reason}")
            elif state not in ("blocked", "capped", "new"):
                yield from self._lossy(link, subject, words)
                yield from self._slow(link, subject, words, passed)

    def _lossy(self, link: Status, subject: str, words: str) -> Iterator[Alert]:
        ways = (("loss", "rx_expected", "in"), ("tx_loss", "tx_expected", "out"))
        bad = [(share, way) for share, among, way in ways if is_lossy(link, share, among)]
        if bad:
            lost = ", ".join(f"{percent(link[share])} on the way {way}" for share, way in bad)
            yield Alert("link_lossy", subject, WARNING, f"{words} loses frames: {lost}")

    def _slow(self, link: Status, subject: str, words: str, passed: float) -> Iterator[Alert]:
        rtt = link.get("rtt_ms")
        if rtt is None:
            return
        key = (subject, "rtt")
        usual = self._usual.setdefault(key, rtt)
        self._usual[key] = usual + (rtt - usual) * min(passed / USUAL, 1.0)
        if rtt > SLOW * usual and rtt > usual + SLOW_MS:
            text = f"{words} is slow: a round trip takes {rtt:.0f} ms, and {usual:.0f} ms is usual"
            yield Alert("link_slow", subject, WARNING, text)

    def _overload(self, status: Status) -> Iterator[Alert]:
        lost = sum(int(status.get(place, {}).get(name, 0)) for place, name in _OVERLOAD)
        lost += sum(int(link.get("rx_dropped", 0)) for link in status.get("links", ()))
        grown = 0 if self._lost is None else lost - self._lost
        self._lost = lost
        if grown > 0:
            yield Alert("overload", "", WARNING, "the node is too slow for what comes: the kernel drops packets")


def _capped(link: Status, subject: str, words: str) -> Iterator[Alert]:
    """Look at what a link has carried of its cap, whatever becomes of it then."""
    cap, used = int(link.get("cap_bytes") or 0), int(link.get("cap_used_bytes") or 0)
    if link.get("state") == "capped" or 0 < cap <= used:
        yield Alert("link_capped", subject, WARNING, f"{words} has carried all that its cap allows")
    elif used >= NEAR * cap > 0:
        text = f"{words} has carried {100 * used // cap} % of its cap, which begins anew on {link.get('cap_until')}"
        yield Alert("cap_near", subject, WARNING, text)


def _peers(status: Status) -> Iterator[Alert]:
    states: dict[str, list[str]] = {}
    for link in status.get("links", ()):
        states.setdefault(str(link.get("peer", "")), []).append(str(link.get("state", "")))
    for peer, all_of_them in states.items():
        # One that has never answered is only waited for.
        found = [state for state in all_of_them if state != "new"]
        working = sum(state in ("up", "wary", "suspect", "standby") for state in found)
        if found and not working:
            yield Alert("peer_gone", peer, CRITICAL, f"peer {peer} cannot be reached: none of its links works")
        elif working == 1 and len(found) > 1:
            text = f"peer {peer} has one link left of {len(found)}: the next fault cuts it off"
            yield Alert("no_redundancy", peer, WARNING, text)
