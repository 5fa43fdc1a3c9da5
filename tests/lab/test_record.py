"""What nodes say while something happens: when a link was in which state."""

from __future__ import annotations

from typing import Any

from alagg.lab.record import Look, Record


def look(at: float, *states: str) -> Look:
    """Give what two hosts say of the link eth0."""
    return Look(at, [{"links": [{"name": "eth0", "state": state}]} for state in states])


RECORD = Record(
    [look(0.0, "up", "up"), look(1.0, "silent", "up"), look(2.0, "up", "silent"), look(3.0, "silent", "up")]
)


def test_first_time_of_a_state() -> None:
    found: list[Any] = [RECORD.first(0, "eth0", "silent", 0.0), RECORD.first(1, "eth0", "silent", 0.0)]
    found += [RECORD.first(0, "eth0", "silent", 1.5), RECORD.first(1, "eth0", "silent", 2.5)]
    assert found == [1.0, 2.0, 3.0, None]


def test_what_one_host_says_of_a_link() -> None:
    assert RECORD.looks[1].link(0, "eth0")["state"] == "silent"
