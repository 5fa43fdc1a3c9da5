"""A change to a link: what the node is asked for, in its order, and the line of the log."""

from __future__ import annotations

from alagg.web.change import asked, told


def test_what_may_be_refused_comes_first() -> None:
    named = {"link": "fibre", "peer": "office"}
    assert asked("office", "fibre", {"blocked": True, "weight": 3, "rate": ""}) == [
        {"do": "set", **named, "values": {"weight": "3", "rate": ""}},
        {"do": "block", **named},
    ]
    assert asked("office", "fibre", {"blocked": False}) == [{"do": "unblock", **named}]
    assert asked("office", "fibre", {}) == []


def test_line_of_the_log() -> None:
    assert told({"blocked": True, "weight": 3, "rate": ""}) == 'blocked = true, weight = 3, rate = ""'
