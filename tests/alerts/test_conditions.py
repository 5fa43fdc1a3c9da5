"""What is wrong: each condition where it holds and where not, how long it must hold, and what has happened."""

from __future__ import annotations

from typing import Any

import pytest

from alagg.alerts.conditions import CRITICAL, INFO, LINGER, SETTLE, WARNING, Conditions
from tests.alerts.helpers import link, status


def texts(*looks: dict[str, Any], step: float = 1.0) -> list[str]:
    """Look at one status after the other, and say what is wrong after the last one."""
    conditions, now = Conditions(), 100.0
    for look in looks:
        now += step
        conditions.look(look, now)
    return [alert.text for alert in conditions.active(now).values()]


@pytest.mark.parametrize("state", ["new", "up", "wary", "suspect", "standby"])
def test_link_that_may_work_is_no_alert(state: str) -> None:
    assert texts(status(link(state=state))) == []


@pytest.mark.parametrize(
    ("state", "reason", "text"),
    [
        ("down", "no carrier", "link wan to office is down: no carrier"),
        ("silent", "the peer does not answer", "link wan to office is silent: the peer does not answer"),
        ("down", "", "link wan to office is down"),
        ("capped", "", "link wan to office has carried all that its cap allows"),
    ],
)
def test_link_that_does_not_work(state: str, reason: str, text: str) -> None:
    others = (link("lan"), link("mobile"))
    assert texts(status(link(state=state, reason=reason), *others)) == [text]


@pytest.mark.parametrize(
    ("used", "said"),
    [
        (79, []),
        (80, ["link wan to office has carried 80 % of its cap, which begins anew on 2026-12-01"]),
        (100, ["link wan to office has carried all that its cap allows"]),
        (None, []),
    ],
)
@pytest.mark.parametrize("state", ["up", "standby"])
def test_link_near_its_cap(state: str, used: int | None, said: list[str]) -> None:
    figures: dict[str, Any] = {"cap_bytes": 100, "cap_used_bytes": used, "cap_until": "2026-12-01"}
    assert texts(status(link(state=state, **figures), link("lan"), link("mobile"))) == said


def test_last_link_but_one() -> None:
    assert texts(status(link(state="down"), link("lan"))) == [
        "peer office has one link left of 2: the next fault cuts it off",
        "link wan to office is down",
    ]


@pytest.mark.parametrize("states", [["up"], ["up", "new"], ["new"], ["up", "wary"], ["new", "new"], []])
def test_peer_with_all_that_it_ever_had(states: list[str]) -> None:
    assert texts(status(*(link(f"wan{number}", state) for number, state in enumerate(states)))) == []


@pytest.mark.parametrize("states", [["down"], ["silent", "down"], ["silent", "new"], ["blocked"], ["capped", "down"]])
def test_peer_that_cannot_be_reached(states: list[str]) -> None:
    found = texts(status(*(link(f"wan{number}", state) for number, state in enumerate(states))))
    assert found[0] == "peer office cannot be reached: none of its links works"


def test_severities() -> None:
    conditions = Conditions()
    conditions.look(status(link(state="down")), 1.0)
    assert {alert.kind: alert.severity for alert in conditions.active(1.0).values()} == {
        "peer_gone": CRITICAL, "link_down": WARNING,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"loss": 0.05, "rx_expected": 1000}, ["link wan to office loses frames: 5 % on the way in"]),
        ({"tx_loss": 0.02}, ["link wan to office loses frames: 2 % on the way out"]),
        ({"loss": 0.25, "rx_expected": 4}, []),
        ({"loss": 0.005, "rx_expected": 100_000}, []),
        ({"loss": None, "tx_loss": None}, []),
    ],
)
def test_lossy_link(figures: dict[str, Any], said: list[str]) -> None:
    assert texts(*[status(link(**figures))] * 15) == said


def test_loss_must_last_to_be_told_and_be_over_for_a_while_to_have_ended() -> None:
    conditions = Conditions()
    told = []
    for now in range(60):
        conditions.look(status(link(loss=0.1 if 10 <= now < 30 else 0.0, rx_expected=500)), float(now))
        told.append(bool(conditions.active(float(now))))
    begin = 10 + int(SETTLE["link_lossy"])
    assert told == [begin <= now < 29 + LINGER for now in range(60)]


def test_loss_that_comes_and_goes_is_none() -> None:
    looks = [status(link(loss=0.1 * (now % 4 > 0), rx_expected=500)) for now in range(40)]
    assert texts(*looks) == []


def test_slow_link() -> None:
    usual, slow = status(link(rtt_ms=10.0)), status(link(rtt_ms=80.0))
    assert texts(*[usual] * 20, *[slow] * 40) == [
        "link wan to office is slow: a round trip takes 80 ms, and 12 ms is usual"
    ]
    assert texts(*[usual] * 20, *[slow] * 20) == []


def test_link_that_is_slow_for_long_is_not_any_more() -> None:
    assert texts(*[status(link(rtt_ms=10.0))] * 20, *[status(link(rtt_ms=80.0))] * 200, step=10.0) == []


def test_few_milliseconds_are_never_slow() -> None:
    assert texts(*[status(link(rtt_ms=0.2))] * 20, *[status(link(rtt_ms=15.0))] * 60) == []


@pytest.mark.parametrize(
    "grown",
    [
        {"capture": {"dropped_queue_full": 5}},
        {"capture": {"dropped_buffer_full": 5}},
        {"injector": {"not_captured": 5}},
        {"links": [{"peer": "office", **link(), "rx_dropped": 5}]},
    ],
)
def test_overload(grown: dict[str, Any]) -> None:
    calm = status(link())
    said = ["the node is too slow for what comes: the kernel drops packets"]
    assert texts({**calm, **grown}) == []  # nobody knows since when
    assert texts(calm, {**calm, **grown}) == said
    assert texts(calm, *[{**calm, **grown}] * int(LINGER)) == said
    assert texts(calm, *[{**calm, **grown}] * int(LINGER + 2)) == []


def test_events_happen_once() -> None:
    conditions = Conditions()
    conditions.hear({"kind": "latent_error", "peer": "office", "text": "copies are missing"})
    conditions.hear({"kind": "numbering_reset", "peer": "office", "text": "peer office was restarted"})
    conditions.hear({"kind": "link_state_changed", "peer": "office", "text": "link wan to office is up"})
    conditions.hear({"kind": "clock_jumped", "text": "this host's clock jumped"})
    found = [(alert.kind, alert.subject, alert.severity, alert.text) for alert in conditions.happened()]
    assert found == [
        ("redundancy_lost", "office", WARNING, "copies are missing"),
        ("peer_restarted", "office", INFO, "peer office was restarted"),
        ("clock_jumped", "", INFO, "this host's clock jumped"),
    ]
    assert conditions.happened() == []


def test_status_without_anything_is_no_alert() -> None:
    assert texts({}) == []
