"""What does not fit between two nodes is said in words, and nothing where all fits."""

from __future__ import annotations

import pytest

from alagg.engine.advice import MARGIN, FarEnd, advice
from alagg.engine.control import OWNS, TAKES, Hello, scheduler_number
from alagg.engine.link import Link
from tests.engine.helpers import ONE, TWO, networks

LINKS = {"fibre": "up", "radio": "up"}


def far(**hello: int) -> FarEnd:
    end = FarEnd()
    end.hello = Hello(**{"links": 2, "scheduler": 0, **hello})
    end.networks = {TAKES: networks(ONE), OWNS: networks(TWO)}
    return end


def said(
    end: FarEnd, destinations: str = TWO, local: str = ONE, interval: float = 0.1, **states: str
) -> list[str]:
    return advice(
        end, destinations=networks(destinations), local=networks(local), links=LINKS | states,
        probe_interval=interval,
    )  # fmt: skip


def test_nothing_is_said_before_anything_is_known_and_when_all_fits() -> None:
    assert said(FarEnd()) == []
    assert said(far()) == []


def test_each_misfit_is_named() -> None:
    assert "destinations has 192.0.2.9/32" in said(far(), destinations="192.0.2.9")[0]
    assert "the peer takes packets from 10.0.0.1/32" in said(far(), local="192.0.2.1")[0]
    assert said(far(links=3)) == ["the peer has 3 links to this node, this node has 2 links to it"]
    lacking = "the peer has 1 link to this node, this node has 2 links to it; it does not answer on radio"
    assert said(far(links=1), radio="silent") == [lacking]
    assert said(far(probe_interval=10_000_000), interval=0.01) == ["the peer probes each 10 s, this node each 0.01 s"]
    assert "versions 3 to 4" in said(far(oldest=3, newest=4))[0]


def test_copies_that_can_be_expected() -> None:
    assert FarEnd().copies(2) == 0, "unknown"
    assert [far().copies(links) for links in (0, 1, 2)] == [1, 1, 2]
    assert far(copies=1).copies(2) == 1
    assert far(scheduler=1).copies(2) == 1, "it splits"


def test_skew_is_what_useful_links_differ_by_where_the_peer_goes_by_it() -> None:
    links = [Link(number, str(number), 1500) for number in range(4)]
    for link, trip in zip(links, (0.02, 0.08, 0.9, 0.0), strict=True):
        link.base_rtt = trip
    far = FarEnd()
    assert far.skew(links) == 0.0
    far.hello = Hello(scheduler=scheduler_number("adaptive"))
    assert far.skew(links) == pytest.approx(0.06 + MARGIN)
    assert far.skew([]) == MARGIN
