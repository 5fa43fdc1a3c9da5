"""Pings that somebody has asked for: they are sent and told of, and change nothing of what is thought of the link."""

from __future__ import annotations

from alagg.engine.monitor import PENDING
from tests.engine.helpers import take_frames
from tests.engine.test_monitor import Script


def test_ping_of_somebody_else_says_nothing_about_the_link() -> None:
    script = Script()
    script.run(4)
    take_frames(script.link)
    before = script.monitor.rtt, script.monitor.state
    trips: list[float] = []
    for number in range(PENDING + 5):
        script.monitor.ping(32, number, trips.append)
    cookies = script.cookies()
    assert len(set(cookies)) == PENDING + 5
    for cookie in cookies:
        script.monitor.answered(cookie, PENDING + 10.0)
        script.monitor.answered(cookie, PENDING + 10.0)
    assert len(trips) == PENDING
    assert script.monitor.stray_replies == PENDING + 5 + 5
    assert (script.monitor.rtt, script.monitor.state) == before
