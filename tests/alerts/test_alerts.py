"""Alerts as a whole: from what a node says to what somebody is told."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final

import alagg.alerts
from alagg.alerts import Alerts
from tests.alerts.helpers import link, status
from tests.alerts.test_receivers import settings

if TYPE_CHECKING:
    import pytest

    from alagg.alerts.grouping import Message

WAIT: Final = 20


class Ear:
    """Somebody who is told, and waits until it is."""

    name = "ear"

    def __init__(self) -> None:
        self._told = threading.Semaphore(0)
        self.messages: list[Message] = []

    def deliver(self, message: Message) -> None:
        self.messages.append(message)
        self._told.release()

    def hear(self) -> Message:
        assert self._told.acquire(timeout=WAIT)
        return self.messages[-1]


def test_fault_reaches_all_who_are_to_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    ears = [Ear(), Ear()]
    monkeypatch.setattr(alagg.alerts, "named", lambda _: ears)
    restart = {"kind": "numbering_reset", "peer": "office", "text": "peer office was restarted"}
    with closing(Alerts(settings(hold_down=60.0))) as alerts:
        alerts.take(status(link(), link("lan")), [], 100.0)
        alerts.take(status(link(state="down", reason="no carrier"), link("lan")), [restart], 101.0)
        for ear in ears:
            assert {alert.kind for alert in ear.hear().begun} == {"link_down", "no_redundancy"}
            assert [alert.text for alert in ear.messages[0].happened] == ["peer office was restarted"]
        alerts.take({}, [], 102.0)  # a node that does not answer says nothing new
        alerts.take(status(link(), link("lan")), [], 170.0)
        for ear in ears:
            assert len(ear.hear().ended) == 2
            assert len(ear.messages) == 2
