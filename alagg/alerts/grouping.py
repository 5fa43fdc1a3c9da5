"""Grouping: decides when people are told, so that what flaps or comes in swarms is a few messages, and none is late.

The first thing that is wrong is told at once. Then nothing is, for the hold-down, unless it is worse than all that
was told in that time; at its end one message says what has changed meanwhile, and how often. While the same comes and
goes, each of its messages is twice as late as the one before; what is new among it waits for the hold-down only.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alagg.alerts.conditions import Alert

    Key = tuple[str, str]

MOST: Final = 50
"""Things of one sort that a message tells."""
LONGEST: Final = 3600.0
"""Seconds between two messages about what comes and goes, at most; the hold-down where that is longer."""
_SORTS: Final = ("begun", "ended", "happened", "active")
SEVERITIES: Final = {0: "good", 1: "info", 2: "warning", 3: "critical"}


@dataclass(frozen=True)
class Message:
    """What somebody is told at one time."""

    host: str
    time: float
    """As `time.time` gives it."""
    begun: tuple[Alert, ...]
    """What is wrong, and was not when the last message went."""
    ended: tuple[Alert, ...]
    """What was wrong then, and is no more."""
    happened: tuple[Alert, ...]
    """What came and went in between, and what has no length."""
    active: tuple[Alert, ...]
    """All that is wrong now."""
    left_out: int = 0
    """New things that found no room in these."""

    @property
    def severity(self) -> int:
        """How bad the worst of what is new is; 0 where all of it is good news."""
        return max((alert.severity for alert in (*self.begun, *self.happened)), default=0)

    @property
    def news(self) -> set[Key]:
        """What it tells besides good news."""
        return {alert.key for alert in (*self.begun, *self.happened)}

    @property
    def subject(self) -> str:
        """The message in a few words."""
        first = next(iter((*self.begun, *self.happened)), None)
        others = len(self.begun) + len(self.ended) + len(self.happened) + self.left_out - 1
        text = first.text if first else f"over: {self.ended[0].text}"
        return f"alagg on {self.host}: {text}{f' (and {others} more)' if others else ''}"

    @property
    def text(self) -> str:
        """The whole message, line by line."""
        parts = [("wrong", self.begun), ("happened", self.happened), ("over", self.ended)]
        lines = [f"{title}: {alert.text}" for title, alerts in parts for alert in alerts]
        begun = {alert.key for alert in self.begun}
        old = [alert for alert in self.active if alert.key not in begun]
        lines += [f"still wrong: {alert.text}" for alert in old] if old else []
        lines += [f"and {self.left_out} more"] if self.left_out else []
        return "\n".join(lines or ["all is well"])

    def as_json(self) -> dict[str, Any]:
        """Give it for programs."""
        return {
            "host": self.host,
            "time": datetime.fromtimestamp(self.time, timezone.utc).isoformat(timespec="milliseconds"),
            "severity": SEVERITIES[self.severity],
            "subject": self.subject,
            "text": self.text,
            **{name: [_plain(one) for one in getattr(self, name)] for name in _SORTS},
            "left_out": self.left_out,
        }


class Grouping:
    """What people have been told, and when."""

    def __init__(self, hold_down: float, host: str) -> None:
        """Tell once in `hold_down` seconds, of a host of this name."""
        self._hold_down = self._pause = hold_down
        self._host = host
        self._told: dict[Key, Alert] = {}
        """What was wrong when the last message went."""
        self._before: dict[Key, Alert] = {}
        self._begun: Counter[Key] = Counter()
        """How often each has begun since the last message."""
        self._last: dict[Key, Alert] = {}
        """The newest words of each that has begun since, or happened."""
        self._happened: Counter[Key] = Counter()
        self._recent: set[Key] = set()
        """What the last messages were about, as long as it comes again."""
        self._sent = self._next = float("-inf")
        self._worst = 0

    def take(
        self, active: Mapping[Key, Alert], happened: Sequence[Alert], now: float, time: float
    ) -> Message | None:
        """Go by what is wrong and what has happened; give a message where it is time for one.

        Args:
            active: what is wrong now.
            happened: what has happened since the last call.
            now: seconds of a clock that only goes forwards.
            time: the host's own time, for the message.
        """
        self._note(active, happened)
        if now >= self._next:
            self._worst = 0
        if now >= self._next + self._pause:
            self._recent.clear()
        message = self._message(active, time)
        if message is None or not self._is_due(message, now):
            return None
        self._hold(message, now)
        self._told = dict(active)
        for kept in (self._begun, self._happened, self._last):
            kept.clear()
        return message

    def _note(self, active: Mapping[Key, Alert], happened: Sequence[Alert]) -> None:
        self._begun.update(active.keys() - self._before.keys())
        self._happened.update(alert.key for alert in happened)
        self._last.update(active)
        self._last.update({alert.key: alert for alert in happened})
        self._before = dict(active)

    def _is_due(self, message: Message, now: float) -> bool:
        new = not message.news <= self._recent
        worse = message.severity > self._worst
        return worse or now >= (self._sent + self._hold_down if new else self._next)

    def _hold(self, message: Message, now: float) -> None:
        """Say nothing more for a while."""
        again = now < self._next or not self._recent.isdisjoint(message.news)
        self._pause = max(min(2 * self._pause, LONGEST), self._hold_down) if again else self._hold_down
        self._recent = (self._recent if again else set()) | message.news
        self._sent, self._next = now, now + self._pause
        self._worst = max(self._worst, message.severity)

    def _message(self, active: Mapping[Key, Alert], time: float) -> Message | None:
        begun = [alert for key, alert in active.items() if key not in self._told]
        ended = [alert for key, alert in self._told.items() if key not in active]
        passing = Counter(self._happened)
        for key, times in self._begun.items():
            passing[key] += times - (key in active and key not in self._told)
        happened = [_often(self._last[key], times) for key, times in passing.items() if times > 0]
        if not (begun or ended or happened):
            return None
        parts = (begun, ended, happened, active.values())
        worst_first = [sorted(part, key=lambda one: -one.severity) for part in parts]
        left_out = sum(max(len(part) - MOST, 0) for part in worst_first[:-1])
        told = [tuple(part[:MOST]) for part in worst_first]
        return Message(self._host, time, told[0], told[1], told[2], told[3], left_out)


def _often(alert: Alert, times: int) -> Alert:
    return alert if times == 1 else alert._replace(text=f"{alert.text} ({times} times)")


def _plain(alert: Alert) -> dict[str, Any]:
    return {**alert._asdict(), "severity": SEVERITIES[alert.severity]}
