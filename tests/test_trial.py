"""What a worker does when somebody tries a link: probes that are told of, and frames that the peer only counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg import trial
from alagg.engine.events import Measured, Ponged
from alagg.engine.header import PROBE, SIZE, decode
from alagg.messages import Burst, Measure, Ping
from tests.engine.helpers import batch, pair, take_frames

if TYPE_CHECKING:
    from alagg.engine.endpoint import Endpoint
    from alagg.engine.events import Event

Two = tuple["Endpoint", "Endpoint"]


@pytest.fixture
def two() -> Two:
    found = pair("fibre", "copper")
    travel(found, 0.0)
    return found


def travel(two: Two, now: float) -> list[Event]:
    """Let what is queued travel back and forth for a while; give what the first one tells."""
    told: list[Event] = []
    for round_ in range(6):
        for source, target in (two, two[::-1]):
            source.handle_timer(now)
            for name, link in source.peers["peer"].links.items():
                headers, payloads = batch(take_frames(link))
                if payloads:
                    target.receive(target.peers["peer"].links[name], headers, payloads, now + 0.001 * round_)
            source.settle()
            found = source.take_events()
            told += found if source is two[0] else []
    return told


def test_ping_is_answered_and_told(two: Two) -> None:
    trial.attempt(two[0], Ping("peer", "fibre", 5, 0), 1.0)
    (pong,) = [event for event in travel(two, 1.0) if isinstance(event, Ponged)]
    assert (pong.link, pong.number, pong.reason) == ("fibre", 5, "")
    assert 0 <= pong.rtt < 0.01
    assert two[0].peers["peer"].monitors[two[0].peers["peer"].links["fibre"]].stray_replies == 0


@pytest.mark.parametrize(("size", "frame"), [(0, 32), (1000, 1000), (65535, 1500)])
def test_ping_has_a_size_that_the_link_carries(two: Two, size: int, frame: int) -> None:
    trial.attempt(two[0], Ping("peer", "fibre", 5, size), 1.0)
    frames = take_frames(two[0].peers["peer"].links["fibre"])
    assert [len(one) for one in frames if decode(one)[0] == PROBE][-1] == frame


def test_ping_on_a_blocked_link_is_told_why(two: Two) -> None:
    two[0].set_held([("peer", "fibre", "blocked", "for a test")], 1.0)
    trial.attempt(two[0], Ping("peer", "fibre", 5, 0), 1.0)
    (pong,) = [event for event in travel(two, 1.0) if isinstance(event, Ponged)]
    assert (pong.rtt < 0, pong.reason) == (True, "blocked: for a test")


def test_burst_is_counted_by_the_peer_and_nothing_else_becomes_of_it(two: Two) -> None:
    link = two[0].peers["peer"].links["fibre"]
    before = two[1].peers["peer"].links["fibre"].rx_frames
    trial.attempt(two[0], Burst("peer", "fibre", 40), 1.0)
    trial.attempt(two[0], Burst("peer", "fibre", 10**6), 1.0)
    assert len(link.payloads) >= 40 + trial.AT_ONCE
    assert max(map(len, link.payloads)) == 1500 - SIZE
    travel(two, 1.0)
    far = two[1].peers["peer"]
    assert far.links["fibre"].rx_frames - before >= 40 + trial.AT_ONCE
    assert far.dialogue.bad_control == 0
    assert two[1].take_packets() == []


def test_what_was_sent_and_came_is_told(two: Two) -> None:
    trial.attempt(two[0], Burst("peer", "fibre", 40), 1.0)
    travel(two, 1.0)
    travel(two, 2.5)  # it has reported
    trial.attempt(two[0], Measure("peer", "fibre", 7), 3.0)
    (measured,) = [event for event in travel(two, 3.0) if isinstance(event, Measured)]
    assert (measured.link, measured.number, measured.size, measured.reason) == ("fibre", 7, 1500, "")
    assert measured.reports == 1
    assert 40 <= measured.received <= measured.tx_frames


@pytest.mark.parametrize("name", [("nobody", "fibre"), ("peer", "none")])
def test_who_is_gone_is_not_tried(two: Two, name: tuple[str, str]) -> None:
    trial.attempt(two[0], Measure(*name, 1), 1.0)
    assert not [event for event in travel(two, 1.0) if isinstance(event, Measured)]
