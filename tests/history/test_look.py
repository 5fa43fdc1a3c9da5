"""Samples: how much has grown since the last look, and what is known now."""

from __future__ import annotations

from typing import Any

import pytest

from alagg.control.counters import STATES
from alagg.history.look import Look, missed


def status(uptime: float, *, tx: int = 0, sent: int = 0, **link: Any) -> dict[str, Any]:
    return {
        "uptime_s": uptime,
        "links": [{"peer": "office", "name": "wan", "state": "up", "tx_bytes": tx, "rx_bytes": 0, **link}],
        "peers": [{"name": "office", "tx": {"sent": sent}, "rx": {"delivered": 0, "lost": 0}}],
    }


def test_what_happened_while_nobody_looked_is_told() -> None:
    now = status(9.0, state="down", reason="no carrier")
    event = {
        "kind": "link_state_changed", "at": 5.0, "peer": "office", "link": "wan", "state": "down",
        "reason": "no carrier", "text": "link wan to office is down: no carrier",
    }  # fmt: skip
    assert missed(now, {}, 5.0) == missed(now, {("office", "wan"): "silent"}, 5.0) == [event]
    assert missed(now, {("office", "wan"): "down"}, 5.0) == []
    (up,) = missed(status(9.0), {("office", "wan"): "down"}, 5.0)
    assert up["text"] == "link wan to office is up"


@pytest.mark.parametrize("state", ["up", "new"])
def test_link_that_begins_well_is_no_news(state: str) -> None:
    assert missed(status(1.0, state=state), {}, 5.0) == []


def test_first_look_has_measures_but_no_growth() -> None:
    found = Look().take(status(100.0, tx=5000, sent=9, rtt_ms=1.5, loss=0.25))
    assert found["office", "wan"] == {
        "covered": 0, "up": 0, "state": 0, "rtt": 1500, "loss": 250_000, "tx_loss": None, "queue": None,
        "tx": None, "rx": None,
    }  # fmt: skip
    assert found["office", ""] == {"covered": 0, "sent": None, "delivered": None, "lost": None}


def test_growth_since_the_last_look() -> None:
    look = Look()
    look.take(status(100.0, tx=5000, sent=9))
    found = look.take(status(101.5, tx=5500, sent=12))
    assert found["office", "wan"] | {"tx": 500, "covered": 1500, "up": 1500} == found["office", "wan"]
    assert found["office", ""] == {"covered": 1500, "sent": 3, "delivered": 0, "lost": 0}


def test_node_that_began_anew_counts_from_zero() -> None:
    look = Look()
    look.take(status(100.0, tx=5000))
    found = look.take(status(2.0, tx=70))
    assert (found["office", "wan"]["tx"], found["office", "wan"]["covered"]) == (70, 2000)


def test_link_that_a_reload_has_added_begins_at_nothing() -> None:
    look = Look()
    look.take(status(100.0))
    assert look.take(status(101.0, name="new", tx=700))["office", "new"]["tx"] == 0


def test_counter_that_went_back_counts_nothing() -> None:
    look = Look()
    look.take(status(100.0, tx=700))
    assert look.take(status(101.0, tx=600))["office", "wan"]["tx"] == 0


def test_time_that_nobody_looked_is_not_covered() -> None:
    look = Look()
    look.take(status(100.0))
    assert look.take(status(5000.0))["office", "wan"]["covered"] == 60_000


def test_what_a_silent_link_measured_is_not_of_now() -> None:
    found = Look().take(status(1.0, state="silent", rtt_ms=3.0, loss=0.1))["office", "wan"]
    assert (found["state"], found["rtt"], found["loss"]) == (STATES.index("silent"), None, None)


def test_state_that_is_not_known_yet_is_kept_as_such() -> None:
    assert Look().take(status(1.0, state="dreaming"))["office", "wan"]["state"] is None
