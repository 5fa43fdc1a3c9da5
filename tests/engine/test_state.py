"""The table of states, over all pairs of a state and an event."""

from __future__ import annotations

import itertools

import pytest

from alagg.engine.state import (
    ANSWERED,
    ANSWERING,
    BLOCK,
    BLOCKED,
    CAP,
    CAPPED,
    CLOSED,
    DOWN,
    EVENTS,
    HELD,
    LOST,
    OPENED,
    PROVEN,
    RELEASE,
    SHUT,
    SILENT,
    STANDBY,
    STATES,
    TABLE,
    UP,
    WARY,
    after,
)

PAIRS = list(itertools.product(STATES, EVENTS))


def test_table_has_a_state_for_each_pair() -> None:
    assert tuple(TABLE) == STATES
    assert all(len(row) == len(EVENTS) and set(row) <= set(STATES) for row in TABLE.values())


@pytest.mark.parametrize(("state", "event"), PAIRS)
def test_each_pair_keeps_the_rules(state: str, event: str) -> None:
    found = after(state, event)
    if event == BLOCK:
        assert found == BLOCKED, "the operator has the last word"
    elif event == CAP:
        assert found == CAPPED
    elif state in SHUT:
        assert found in {state, "new"}, "only the operator opens what is shut"
    elif event == CLOSED:
        assert found == DOWN, "carrier loss counts at once"
    elif event == LOST and state != DOWN:
        assert found == SILENT
    elif event == RELEASE:
        assert found not in HELD
    if found in ANSWERING and state not in ANSWERING:
        assert event == PROVEN or (state, event) == (STANDBY, RELEASE), "what fails has to prove itself"
    if state == DOWN:
        assert found in {DOWN, "new", *SHUT}
    assert after(found, event) in {found, UP} or event in {OPENED, ANSWERED}, "twice is as good as once"


@pytest.mark.parametrize("state", STATES)
def test_each_state_leads_to_up_again(state: str) -> None:
    for event in (RELEASE, OPENED, ANSWERED, PROVEN):
        state = after(state, event)
    assert state == UP


def test_link_that_comes_back_is_wary_first() -> None:
    assert after(SILENT, ANSWERED) == WARY
