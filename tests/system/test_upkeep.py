"""What is lost is put back at once, but no program is fought, and nothing is told each time."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from alagg.system.upkeep import BURST, PERIOD, QUIET, Upkeep

if TYPE_CHECKING:
    import pytest


def test_a_few_repairs_at_once_then_one_each_while() -> None:
    upkeep = Upkeep()
    assert [upkeep.allows("rules", 0.0) for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert not upkeep.allows("rules", PERIOD * 0.9)
    assert upkeep.allows("rules", PERIOD)
    assert not upkeep.allows("rules", PERIOD)
    assert upkeep.allows("device", PERIOD)


def test_told_once_until_it_has_been_quiet(caplog: pytest.LogCaptureFixture) -> None:
    upkeep = Upkeep()
    caplog.set_level(logging.WARNING)
    for now in (0.0, 1.0, QUIET, QUIET * 2 - 1):
        upkeep.tell("rules", ["rules of IPv4"], now)
    assert caplog.messages == ["put back what another program had taken away: rules of IPv4"]
    upkeep.tell("rules", ["rules of IPv4"], QUIET * 3)
    assert len(caplog.messages) == 2
    assert upkeep.put_back == {"rules": 5}
    (told,) = upkeep.told(1000.0)
    assert told["times"] == 5


def test_one_line_stays_one_line(caplog: pytest.LogCaptureFixture) -> None:
    Upkeep().tell("device", [f"route to 10.0.0.{one}" for one in range(1000)], 0.0)
    (line,) = caplog.messages
    assert line.endswith(": route to 10.0.0.0, route to 10.0.0.1, route to 10.0.0.2, route to 10.0.0.3 and 996 more")
