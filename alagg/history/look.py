"""Look: makes samples of what a node says of itself, each the difference to what it said before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alagg.control.counters import STATES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Status = Mapping[str, Any]
    Subject = tuple[str, str]
    """A peer's name and a link's, or an empty one."""
    Sample = dict[str, int | None]
    """By the names of `alagg.history.tables.COLUMNS`."""

_OF_LINK: Final = (("tx", "tx_bytes"), ("rx", "rx_bytes"))
_OF_PEER: Final = (("sent", "tx", "sent"), ("delivered", "rx", "delivered"), ("lost", "rx", "lost"))
MEASURED: Final = ("up", "wary", "standby", "suspect")
"""States in which a link answers, so that its figures are of now."""
MAX_COVERED: Final = 60_000
"""Milliseconds that a sample stands for at most: what was before was not seen."""


CHANGED: Final = "link_state_changed"
"""The kind of event that tells of a link's state."""


def missed(status: Status, known: Mapping[Subject, str], now: float) -> list[dict[str, Any]]:
    """Give an event for each link whose state is not the one that was written down last, while nobody looked."""
    found = []
    for link in status.get("links", ()):
        subject = (str(link.get("peer", "")), str(link.get("name", "")))
        state, reason = str(link.get("state", "")), str(link.get("reason") or "")
        if state not in (known.get(subject, "up"), "new"):
            text = f"link {subject[1]} to {subject[0]} is {state}{f': {reason}' if reason else ''}"
            more = {"peer": subject[0], "link": subject[1], "state": state, "reason": reason}
            found.append({"kind": CHANGED, "at": now, "text": text, **more})
    return found


class Look:
    """What a node said last."""

    def __init__(self) -> None:
        """It has said nothing yet."""
        self._before: dict[tuple[Subject, str], int] = {}
        self._uptime = 0.0

    def take(self, status: Status) -> dict[Subject, Sample]:
        """Give a sample of each link and peer.

        The first one has no counters, as they have grown for longer than anybody looked.
        """
        uptime = float(status.get("uptime_s", 0.0))
        began = uptime < self._uptime
        covered = min(round(1000 * (uptime - (0.0 if began else self._uptime))), MAX_COVERED) if self._before else 0
        counted = dict(_counters(status))
        grown = self._grown(counted, began=began)
        self._before, self._uptime = counted, uptime
        found: dict[Subject, Sample] = {}
        for link in status.get("links", ()):
            subject = (str(link.get("peer", "")), str(link.get("name", "")))
            carried = {name: grown.get((subject, name)) for name, _ in _OF_LINK}
            found[subject] = {**_measured(link, covered), **carried}
        for peer in status.get("peers", ()):
            subject = (str(peer.get("name", "")), "")
            found[subject] = {"covered": covered, **{name: grown.get((subject, name)) for name, _, _ in _OF_PEER}}
        return found

    def _grown(self, counted: Mapping[tuple[Subject, str], int], *, began: bool) -> dict[tuple[Subject, str], int]:
        """Give how much each counter has grown, from zero where the node began anew; at the first look nothing."""
        if not self._before:
            return {}
        before = {} if began else self._before
        return {key: max(value - before.get(key, 0 if began else value), 0) for key, value in counted.items()}


def _counters(status: Status) -> Iterator[tuple[tuple[Subject, str], int]]:
    for link in status.get("links", ()):
        for name, key in _OF_LINK:
            yield ((str(link.get("peer", "")), str(link.get("name", ""))), name), int(link.get(key, 0))
    for peer in status.get("peers", ()):
        for name, side, key in _OF_PEER:
            yield ((str(peer.get("name", "")), ""), name), int(peer.get(side, {}).get(key, 0))


def _measured(link: Status, covered: int) -> Sample:
    state = link.get("state")
    known = state in STATES
    # What was measured before a link went says nothing of it now.
    shown = link if state in MEASURED else {}
    return {
        "covered": covered,
        "up": covered if state == "up" else 0,
        "state": STATES.index(str(state)) if known else None,
        "rtt": _scaled(shown.get("rtt_ms"), 1e3),
        "loss": _scaled(shown.get("loss"), 1e6),
        "tx_loss": _scaled(shown.get("tx_loss"), 1e6),
        "queue": _scaled(shown.get("queue_ms"), 1e3),
    }


def _scaled(value: float | None, factor: float) -> int | None:
    return None if value is None else round(value * factor)
