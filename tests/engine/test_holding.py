"""Backups carry only while others cannot; links that come have to be answered on first (test_peer.py)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alagg.engine.state import BLOCKED, STANDBY, SUSPECT, UP
from tests.engine.test_peer import INTERVAL, Script


def script(*backups: str) -> Script:
    """Give a peer with the links `fibre` and `radio`, some of which are backups."""
    found = Script("fibre", "radio")
    links = tuple(replace(link, backup=link.name in backups) for link in found.peer.settings.links)
    found.peer.update(replace(found.peer.settings, links=links), 0.0)
    return found


def test_a_backup_rests_with_its_reason_and_carries_nothing() -> None:
    one = script("radio")
    assert one.run(2.0) == ["fibre up", "radio standby"]
    radio = one.peer.links["radio"]
    assert (radio.state, radio.reason) == (STANDBY, "a backup: not needed while fibre is up")
    assert one.sent_on(100, 200) == {"fibre": [100, 200], "radio": []}
    assert one.run(9.0) == []


def test_it_carries_as_soon_as_the_other_is_in_doubt_and_rests_again() -> None:
    one = script("radio")
    one.run(2.0)
    fibre, radio = one.peer.links.values()
    one.sent_on(100)
    one.peer.wake(one.now)
    one.answering.remove("fibre")
    while fibre.state == UP:
        one.run(INTERVAL / 8)
    one.run(INTERVAL / 8)
    assert (fibre.state, radio.state) == (SUSPECT, UP)
    assert one.sent_on(100)["radio"] == [100]
    assert one.run(3.0) == ["fibre silent"]
    assert radio.state == UP
    one.answering.add("fibre")
    assert one.run(3.0) == ["fibre up", "radio standby"]


@pytest.mark.parametrize("blocked", [False, True])
def test_it_carries_at_once_when_the_other_is_gone(blocked: bool) -> None:  # noqa: FBT001 - a parameter of the test
    one = script("radio")
    one.run(2.0)
    if blocked:
        one.peer.set_blocked({"fibre": "enough"}, one.now)
    else:
        one.change("fibre", is_open=False, reason="no carrier")
    assert one.sent_on(100) == {"fibre": [], "radio": [100]}
    assert one.run(0.01) == [f"fibre {'blocked' if blocked else 'down'}", "radio up"]


def test_what_the_operator_says_goes_first() -> None:
    one = script("radio")
    one.run(2.0)
    one.peer.set_blocked({"radio": "enough"}, one.now)
    one.change("fibre", is_open=False, reason="no carrier")
    one.run(1.0)
    assert one.peer.links["radio"].state == BLOCKED
    one.peer.set_blocked({}, one.now)
    one.run(1.0)
    assert one.peer.links["radio"].state == UP


def test_a_backup_no_more_is_released() -> None:
    one = script("radio")
    one.run(2.0)
    links = tuple(replace(link, backup=False) for link in one.peer.settings.links)
    one.peer.update(replace(one.peer.settings, links=links), one.now)
    one.run(1.0)
    assert one.peer.links["radio"].state == UP


def test_backups_alone_carry() -> None:
    one = script("fibre", "radio")
    assert one.run(2.0) == ["fibre up", "radio up"]
