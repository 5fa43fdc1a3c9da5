"""Backups carry only while others cannot; links that come have to be answered on first (test_peer.py)."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from alagg.engine.state import BLOCKED, CAPPED, DOWN, STANDBY, SUSPECT, UP
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
        one.peer.set_held({"fibre": {BLOCKED: "enough"}}, one.now)
    else:
        one.change("fibre", is_open=False, reason="no carrier")
    assert one.sent_on(100) == {"fibre": [], "radio": [100]}
    assert one.run(0.01) == [f"fibre {'blocked' if blocked else 'down'}", "radio up"]


def test_what_the_operator_says_goes_first() -> None:
    one = script("radio")
    one.run(2.0)
    one.peer.set_held({"radio": {BLOCKED: "enough"}}, one.now)
    one.change("fibre", is_open=False, reason="no carrier")
    one.run(1.0)
    assert one.peer.links["radio"].state == BLOCKED
    one.peer.set_held({}, one.now)
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


def test_what_has_carried_enough_rests_until_no_other_can() -> None:
    one = script()
    one.run(2.0)
    fibre = one.peer.links["fibre"]
    one.peer.set_held({"fibre": {STANDBY: "has carried enough"}}, one.now)
    assert (fibre.state, fibre.reason) == (STANDBY, "has carried enough: not needed while radio is up")
    assert one.sent_on(100) == {"fibre": [], "radio": [100]}
    one.change("radio", is_open=False, reason="no carrier")
    assert one.sent_on(100) == {"fibre": [100], "radio": []}
    one.change("radio", is_open=True)
    one.run(2.0)
    assert fibre.state == STANDBY
    one.peer.set_held({}, one.now)
    assert (fibre.state, fibre.reason) == (UP, "")


def test_all_that_have_carried_enough_carry() -> None:
    one = script()
    one.run(2.0)
    one.peer.set_held({name: {STANDBY: "has carried enough"} for name in one.peer.links}, one.now)
    one.run(1.0)
    assert {link.state for link in one.peer.links.values()} == {UP}


@pytest.mark.parametrize("order", list(itertools.permutations((BLOCKED, CAPPED, STANDBY))))
def test_of_several_reasons_the_strongest_is_the_state_and_the_others_stay(order: tuple[str, ...]) -> None:
    """Whatever comes and goes in whatever order; a closed port shows once nothing shuts the link."""
    one = script()
    one.run(2.0)
    fibre, holds = one.peer.links["fibre"], dict[str, str]()
    for state in order:
        holds[state] = f"{state} for a reason"
        one.peer.set_held({"fibre": dict(holds)}, one.now)
        strongest = next(each for each in (BLOCKED, CAPPED, STANDBY) if each in holds)
        assert fibre.state == strongest
        assert fibre.reason.startswith(f"{strongest} for a reason")
    for state in order[:-1]:
        del holds[state]
        one.peer.set_held({"fibre": dict(holds)}, one.now)
        one.run(1.0)
        strongest = next(each for each in (BLOCKED, CAPPED, STANDBY) if each in holds)
        assert fibre.state == strongest
    one.change("fibre", is_open=False, reason="no carrier")
    one.peer.set_held({}, one.now)
    one.run(1.0)
    assert (fibre.state, fibre.reason) == (DOWN, "no carrier")
