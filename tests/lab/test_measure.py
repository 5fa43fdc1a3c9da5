"""Measurements between two hosts: what is lost, repeated or refused is said, and nothing hangs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from alagg.lab import measure
from alagg.lab.measure import Stream, Transfer
from alagg.lab.namespace import LabError
from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.measure import Family

netns = pytest.mark.netns
families = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with Lab(links=1) as lab:
        yield lab


@netns
@families
def test_streams_of_each_kind_arrive_whole(lab: Lab, family: Family) -> None:
    seen = (
        lab.a.ping(lab.b, count=20, family=family),
        lab.a.messages(lab.b, count=20, family=family),
        lab.a.messages(lab.b, count=20, family=family, protocol="253"),
        lab.b.stream(lab.a, count=20, family=family),
    )
    for stream in seen:
        assert (stream.sent, stream.lost, stream.duplicated, stream.out_of_order, stream.refused) == (20, 0, 0, 0, 0)
    assert [stream.rtt_p50 is None for stream in seen] == [False, False, False, True]


@netns
@families
def test_a_transfer_is_intact(lab: Lab, family: Family) -> None:
    done = lab.b.transfer(lab.a, size=3_000_000, family=family)
    assert (done.sent, done.received, done.intact, done.problem) == (3_000_000, 3_000_000, True, "")
    assert done.goodput > 0


@netns
@families
def test_sizes_arrive_whatever_the_protocol(lab: Lab, family: Family) -> None:
    for protocol in ("udp", "icmp", "253"):
        done = lab.a.sizes(lab.b, [0, 1, 8, 9, 1473, 8000], family=family, protocol=protocol)
        assert (done.sent, done.lost, done.damaged) == (6, [], [])


@netns
def test_an_outage_shows_as_refusals_and_a_gap() -> None:
    with Lab(links=1) as lab:
        running = measure.ping(lab.a, lab.b, count=100, interval=0.01)
        time.sleep(0.3)
        lab.a.link_down(0)
        time.sleep(0.3)
        lab.a.link_up(0)
        seen = running.result()
    assert seen.refused > 10
    assert seen.lost >= seen.refused
    assert seen.longest_gap > 0.25


@netns
def test_a_transfer_that_breaks_off_is_not_intact() -> None:
    with Lab(links=1) as lab:
        running = measure.transfer(lab.a, lab.b, size=100_000_000, rate=50e6, timeout=1.0)
        time.sleep(0.2)
        lab.wire[0].unplug()
        done = running.result()
    assert not done.intact
    assert "timed out" in done.problem
    assert done.received < 100_000_000
    assert done.longest_stall >= 0.9


@netns
def test_a_paced_transfer_takes_its_time(lab: Lab) -> None:
    assert lab.a.transfer(lab.b, size=1_000_000, rate=10e6).goodput < 20e6


@netns
def test_a_stream_at_full_speed_ends_by_time(lab: Lab) -> None:
    seen = measure.stream(lab.a, lab.b, count=10**9, interval=0, seconds=0.2).result()
    assert 100 < seen.received <= seen.sent < 10**7


@netns
def test_traffic_that_does_not_end_is_reported(lab: Lab) -> None:
    running = measure.ping(lab.a, lab.b, count=10_000, interval=0.01)
    assert running.flowing
    with pytest.raises(LabError, match=r"still flowed after 0.1 s"):
        running.result(timeout=0.1)
    assert not running.flowing


@netns
def test_a_tool_that_fails_is_reported(lab: Lab) -> None:
    with pytest.raises(LabError, match="invalid literal"):
        measure.messages(lab.a, lab.b, count=1, interval=0.01, protocol="sctp")
    lab.a.ipv4, before = "10.99.0.77", lab.a.ipv4
    with pytest.raises(LabError, match="did not start"):
        lab.b.stream(lab.a, count=1)
    lab.a.ipv4 = before


def test_what_was_lost_is_what_did_not_arrive() -> None:
    assert Stream(sent=10, received=7, duplicated=5, out_of_order=0, refused=0, longest_gap=0).lost == 3


def test_goodput_counts_bits_that_arrived() -> None:
    done = Transfer(sent=2000, received=1000, intact=False, seconds=2.0, longest_stall=0)
    assert done.goodput == 4000
    assert Transfer(sent=0, received=0, intact=False, seconds=0, longest_stall=0).goodput == 0
