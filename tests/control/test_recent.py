"""What happened in the last minute."""

from __future__ import annotations

import pytest

from alagg.control.recent import AT_ONCE, PAUSE, PERIOD, Recent
from alagg.engine.link import Link


@pytest.fixture
def link() -> Link:
    return Link(0, "copper", 1500)


def watch(recent: Recent, links: list[Link], until: float, since: float = 0.0) -> None:
    now = since
    while now <= until:
        recent.look(dict.fromkeys(links), lambda _: None, now)
        now += 0.5


def test_counts_what_is_new_since_a_minute(link: Link) -> None:
    recent = Recent()
    watch(recent, [link], 10.0)
    link.tx_frames, link.tx_dropped_full = 1000, 2
    link.malformed["bad_checksum"] = 5
    found = recent.since(link, {}, 12.0)
    assert (found["seconds"], found["tx_frames"], found["tx_dropped_full"], found["malformed"]) == (12.0, 1000, 2, 5)
    watch(recent, [link], 12.0 + PERIOD + PAUSE, since=12.0)
    found = recent.since(link, {}, 12.0 + PERIOD + PAUSE)
    assert (found["tx_frames"], found["tx_dropped_full"], found["malformed"]) == (0, 0, 0)
    assert PERIOD <= found["seconds"] <= PERIOD + PAUSE


def test_many_links_take_turns() -> None:
    links = [Link(number, str(number), 1500) for number in range(3 * AT_ONCE)]
    recent = Recent()
    watch(recent, links, 20.0)
    for link in links:
        link.rx_frames = 7
    assert {recent.since(link, {}, 21.0)["rx_frames"] for link in links} == {7}


def test_a_link_that_nobody_has_looked_at_has_nothing_new(link: Link) -> None:
    link.tx_frames = 9
    assert Recent().since(link, {}, 5.0)["tx_frames"] == 0


def test_links_that_are_gone_are_forgotten(link: Link) -> None:
    recent = Recent()
    watch(recent, [link], 1.0)
    watch(recent, [], 20.0, since=1.5)
    link.tx_frames = 9
    assert recent.since(link, {}, 21.0)["tx_frames"] == 0


def test_counters_that_begin_anew_are_no_negative_growth(link: Link) -> None:
    recent = Recent()
    link.tx_frames = 100
    watch(recent, [link], 10.0)
    link.tx_frames = 3
    assert recent.since(link, {}, 11.0)["tx_frames"] == 0
    watch(recent, [link], 30.0, since=11.0)
    link.tx_frames = 8
    assert recent.since(link, {}, 31.0)["tx_frames"] == 5
