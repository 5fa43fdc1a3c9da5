"""The pacer: never faster than the rate, in any window, and nothing lost by it."""

from __future__ import annotations

import random

import pytest

from alagg.engine.header import SIZE
from alagg.engine.link import Link
from alagg.engine.pacer import BACKLOG, Numbered, Pacer
from tests.engine.helpers import take_frames


def held(number: int, size: int = 1400) -> Numbered:
    return Numbered(bytes(size), number, 0, 0, 0)


def departures(pacer: Pacer, wakes: list[float]) -> list[tuple[float, int]]:
    """Keep a link busy; give when its port got frames, and their bytes on the wire."""
    found = []
    number = 0
    for now in wakes:
        while pacer.has_room(now):
            pacer.hold(held(number))
            number += 1
        pacer.release(1, now)
        found += [(now, len(frame) + pacer.overhead) for frame in take_frames(pacer.link)]
        pacer.settle(now)
    return found


def most(sent: list[tuple[float, int]], window: float) -> int:
    """Give the most bytes of any window."""
    largest = total = first = 0
    for time, size in sent:
        total += size
        while sent[first][0] <= time - window:
            total -= sent[first][1]
            first += 1
        largest = max(largest, total)
    return largest


@pytest.mark.parametrize("rate", [2.5e6, 20e6, 100e6, 1e9])
@pytest.mark.parametrize("lateness", [0.0001, 0.001, 0.02])
def test_no_window_carries_more_than_the_rate_allows(rate: float, lateness: float) -> None:
    chance = random.Random(1)
    now, wakes = 0.0, []
    while now < 1.1:
        now += chance.uniform(0.00001, lateness)
        wakes.append(now)
    sent = departures(Pacer(Link(0, "link", 1500), rate / 8), wakes)
    assert most(sent, 1.0) <= 1.02 * rate / 8
    if rate >= 20e6:  # of slower ones too few frames fit into 10 ms
        assert most(sent, 0.01) <= 1.10 * rate / 8 * 0.01
    if lateness <= 0.0001:
        assert sum(size for _, size in sent) >= 0.99 * 1.1 * rate / 8


def test_what_a_full_port_refuses_goes_next_with_the_same_numbers() -> None:
    link = Link(0, "link", 1500)
    pacer = Pacer(link)
    for number in range(5):
        pacer.hold(held(number))
    pacer.release(1, 0.0)
    take_frames(link, 2)
    pacer.settle(0.0)
    assert (link.tx_dropped_full, link.link_sequence, pacer.bytes) == (0, 2, 3 * (1400 + SIZE + 14))
    pacer.release(1, pacer.due(0.0))
    assert len(take_frames(link)) == 3
    pacer.settle(0.002)
    assert (link.tx_frames, pacer.bytes) == (5, 0)
    assert pacer.due(0.002) == float("inf")


def test_other_frames_count_as_well() -> None:
    link = Link(0, "link", 1500)
    pacer = Pacer(link, 125_000)
    link.append(2, 1, bytes(1226), 0)
    take_frames(link)
    pacer.hold(held(0))
    pacer.release(1, 0.0)
    assert not link.payloads, "ten milliseconds' worth has just left"
    pacer.release(1, 0.01)
    assert len(link.payloads) == 1


def test_a_link_has_little_waiting() -> None:
    pacer = Pacer(Link(0, "link", 1500), 2_500_000)
    count = 0
    while pacer.has_room(0.0):
        pacer.hold(held(count))
        count += 1
    assert BACKLOG <= pacer.backlog(0.0) < BACKLOG + 0.001
    assert [one.sequence for one in pacer.take_back()] == list(range(count))
    assert pacer.backlog(0.0) == 0.0
