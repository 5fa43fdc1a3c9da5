"""Alerts: tell people when something is wrong with the node's links and peers, few times, and without waiting.

`conditions` says what is wrong, `grouping` when somebody is told, `receivers` how.
"""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

from alagg.alerts.conditions import Conditions
from alagg.alerts.grouping import Grouping
from alagg.alerts.receivers import Postman, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from alagg.alertsconfig import AlertsConfig


class Alerts:
    """The alerts of one node."""

    def __init__(self, config: AlertsConfig) -> None:
        """Tell those that the configuration names."""
        self._conditions = Conditions()
        self._grouping = Grouping(config.hold_down, socket.gethostname())
        self._postmen = [Postman(receiver) for receiver in named(config)]

    def take(self, status: Mapping[str, Any], events: Sequence[Mapping[str, Any]], now: float) -> None:
        """Go by what a node says, and by what has happened since the last time; `now` only goes forwards."""
        if status:
            self._conditions.look(status, now)
        for event in events:
            self._conditions.hear(event)
        message = self._grouping.take(self._conditions.active(now), self._conditions.happened(), now, time.time())
        if message is not None:
            for postman in self._postmen:
                postman.send(message)

    def close(self) -> None:
        """Tell nobody any more."""
        for postman in self._postmen:
            postman.close()
