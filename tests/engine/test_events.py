"""Events say in one line what happened."""

from __future__ import annotations

import pytest

from alagg.engine.events import Event, LatentError, LinkStateChanged, NumberingReset, PacketsRefused
from alagg.engine.state import DOWN, SILENT, UP

CASES: list[tuple[Event, bool, tuple[str, ...]]] = [
    (LinkStateChanged("office", "fibre", UP, ""), False, ("office", "fibre", "up")),
    (LinkStateChanged("office", "fibre", DOWN, "no carrier"), True, ("fibre", "down", "no carrier")),
    (LinkStateChanged("office", "fibre", SILENT, "no answer"), True, ("fibre", "silent", "no answer")),
    (NumberingReset("office", 0, 0xABCD), False, ("office", "0x0000abcd")),
    (LatentError("office", 1000, 3), True, ("office", "1000", "3")),
    (PacketsRefused("office", "foreign_source", 1, "10.1.1.1", "::"), True, ("1 packet r", "10.1.1.1 is not in its")),
    (PacketsRefused("office", "foreign_destination", 2000, "::1", "::2"), True, ("2,000", "::2 is neither")),
    (PacketsRefused("office", "malformed_packet", 2, "", ""), True, ("2 packets", "not an IP")),
]


@pytest.mark.parametrize(("event", "bad", "words"), CASES)
def test_event_in_words(event: Event, bad: bool, words: tuple[str, ...]) -> None:  # noqa: FBT001 - a column
    text = str(event)
    assert event.bad is bad
    assert "\n" not in text
    assert [word for word in words if word not in text] == []
