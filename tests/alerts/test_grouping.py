"""When people are told: the first fault at once, what flaps or comes in swarms in few messages, nothing never."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alagg.alerts.conditions import CRITICAL, INFO
from alagg.alerts.grouping import MOST, Grouping
from tests.alerts.helpers import alert

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.alerts.conditions import Alert
    from alagg.alerts.grouping import Message

HOLD: Final = 300.0
WAN: Final = alert()
LAN: Final = alert(subject="office/lan")
GONE: Final = alert("peer_gone", "office", CRITICAL)
RESTARTED: Final = alert("peer_restarted", "office", INFO)


class Ward:
    """A grouping in virtual time, one call a second, and the messages with their times."""

    def __init__(self, hold_down: float = HOLD, step: int = 1) -> None:
        self.step = step
        self._grouping = Grouping(hold_down, "host1")
        self.now = 0
        self.sent: list[tuple[int, Message]] = []

    def pass_(self, seconds: int, *active: Alert, happened: tuple[Alert, ...] = ()) -> Ward:
        for _ in range(0, seconds, self.step):
            told = {one.key: one for one in active}
            message = self._grouping.take(told, happened, float(self.now), 1.8e9 + self.now)
            happened = ()
            if message is not None:
                self.sent.append((self.now, message))
            self.now += self.step
        return self

    @property
    def times(self) -> list[int]:
        return [now for now, _ in self.sent]


def test_nothing_is_nothing_to_tell() -> None:
    assert Ward().pass_(1000).sent == []


def test_fault_is_told_at_once_and_its_end_after_the_hold_down() -> None:
    ward = Ward().pass_(10).pass_(20, WAN).pass_(1000)
    (first, begun), (second, over) = ward.sent
    assert (first, second) == (10, 310)
    assert (begun.begun, begun.ended, begun.active) == ((WAN,), (), (WAN,))
    assert (over.begun, over.ended, over.happened, over.active) == ((), (WAN,), (), ())


def test_fault_that_lasts_is_told_once() -> None:
    assert Ward().pass_(5000, WAN).times == [0]


def test_what_else_goes_wrong_meanwhile_goes_together() -> None:
    ward = Ward().pass_(1, WAN).pass_(1000, WAN, LAN)
    assert ward.times == [0, 300]
    assert ward.sent[1][1].begun == (LAN,)


def test_what_is_worse_does_not_wait() -> None:
    ward = Ward().pass_(5, WAN).pass_(1000, WAN, GONE)
    assert ward.times == [0, 5]
    assert ward.sent[1][1].severity == CRITICAL


def test_what_came_and_went_between_two_messages_is_told() -> None:
    ward = Ward().pass_(1, WAN).pass_(10).pass_(10, LAN).pass_(1000)
    _, (_, message) = ward.sent
    assert (message.begun, message.ended, message.happened) == ((), (WAN,), (LAN,))


def test_what_happens_is_told_once_with_its_number() -> None:
    ward = Ward().pass_(1, happened=(RESTARTED,))
    for _ in range(3):
        ward.pass_(10, happened=(RESTARTED._replace(text=f"restarted at {ward.now}"),))
    ward.pass_(1000)
    assert ward.times == [0, 300]
    assert [one.text for one in ward.sent[1][1].happened] == ["restarted at 21 (3 times)"]


def test_same_fault_after_a_quiet_time_is_told_at_once() -> None:
    ward = Ward().pass_(10, WAN).pass_(2000).pass_(10, WAN).pass_(2000)
    assert ward.times == [0, 300, 2010, 2310]


def ups_and_downs(up: int, down: int) -> Callable[[int], list[Alert]]:
    return lambda now: [WAN] if now % (up + down) < down else []


def both(up: int, down: int) -> Callable[[int], list[Alert]]:
    """Two links of one peer flap out of step; now and then both are gone."""

    def active(now: int) -> list[Alert]:
        found = [one for one, at in ((WAN, now), (LAN, now + down // 2)) if at % (up + down) < down]
        return [*found, GONE] if len(found) == 2 else found

    return active


@pytest.mark.parametrize("flapping", [ups_and_downs, both])
@pytest.mark.parametrize(("up", "down"), [(1, 1), (3, 7), (7, 3), (20, 10), (61, 59)])
def test_ten_minutes_of_flapping_are_three_messages_at_most(
    flapping: Callable[[int, int], Callable[[int], list[Alert]]], up: int, down: int
) -> None:
    ward, active = Ward(), flapping(up, down)
    for now in range(600):
        ward.pass_(1, *active(now))
    ward.pass_(7200)
    assert len(ward.sent) <= 3
    assert ward.sent[-1][1].active == ()


def test_hours_of_flapping_are_a_message_each() -> None:
    ward = Ward(60.0)
    for now in range(6 * 3600):
        ward.pass_(1, *ups_and_downs(3, 4)(now))
    assert len(ward.sent) <= 6 + 6


def test_new_fault_does_not_wait_for_one_that_flaps() -> None:
    ward, other = Ward(), alert(subject="boat/radio")
    for now in range(3000):
        ward.pass_(1, *ups_and_downs(3, 4)(now))
    last = ward.times[-1]
    ward.pass_(2000, other)
    assert any(other in message.begun and now <= max(3000, last + HOLD) for now, message in ward.sent)


ALERTS: Final = (WAN, LAN, GONE, RESTARTED, alert("overload", ""))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(1, 400), st.sets(st.sampled_from(ALERTS))), max_size=20))
def test_what_people_were_told_is_true_in_the_end(steps: list[tuple[int, set[Alert]]]) -> None:
    """Whoever goes by `begun` and `ended` alone knows at last what is wrong, and two messages are never too close."""
    ward = Ward(step=20)
    for seconds, active in steps:
        ward.pass_(seconds, *active)
    ward.pass_(3700, *(steps[-1][1] if steps else ()))
    known: set[Alert] = set()
    for _, message in ward.sent:
        assert set(message.ended) <= known
        known = (known - set(message.ended)) | set(message.begun)
        assert known == set(message.active)
    assert known == (steps[-1][1] if steps else set())
    calm = [later - earlier for earlier, later in zip(ward.times, ward.times[1:], strict=False)]
    assert sum(pause < HOLD for pause in calm) <= 2 * (1 + sum(pause >= HOLD for pause in calm))


def test_message_in_words() -> None:
    ward = Ward().pass_(1, WAN).pass_(1, LAN).pass_(10, LAN, GONE)
    _, (_, message) = ward.sent
    assert message.subject == "alagg on host1: peer_gone of office (and 2 more)"
    assert message.text.splitlines() == [
        "wrong: peer_gone of office", "wrong: link_down of office/lan", "over: link_down of office/wan",
    ]  # fmt: skip
    ward.pass_(2000, GONE)
    assert ward.sent[-1][1].subject == "alagg on host1: over: link_down of office/lan"
    assert ward.sent[-1][1].text.splitlines() == ["over: link_down of office/lan", "still wrong: peer_gone of office"]


def test_message_for_programs() -> None:
    (_, message), *_ = Ward().pass_(1, GONE).sent
    plain = {"kind": "peer_gone", "subject": "office", "severity": "critical", "text": "peer_gone of office"}
    assert json.loads(json.dumps(message.as_json())) == {
        "host": "host1", "time": "2027-01-15T08:00:00.000+00:00", "severity": "critical",
        "subject": "alagg on host1: peer_gone of office", "text": "wrong: peer_gone of office",
        "begun": [plain], "ended": [], "happened": [], "active": [plain], "left_out": 0,
    }  # fmt: skip


def test_swarm_is_a_message_of_bounded_length() -> None:
    ward = Ward().pass_(1, *(alert(subject=f"peer{number}/wan") for number in range(1000)), GONE)
    ((_, message),) = ward.sent
    assert len(message.begun) == MOST
    assert message.subject == "alagg on host1: peer_gone of office (and 1000 more)"
    assert message.text.splitlines()[-1] == "and 951 more"
