"""Redundant over a fast and a slow link: the slow one neither delays nor starves the fast one."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab import measure
from alagg.lab.topology import Lab
from alagg.lab.wire import LinkSpec
from tests.netns.conftest import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.measure import Family

pytestmark = pytest.mark.netns

SIZE: Final = 50_000_000
FAST: Final = 75_000_000
"""Bits per second of link 0."""


@dataclass(frozen=True)
class Slow:
    """The slow link."""

    rate: float
    """Bits per second."""
    queue: float
    """Seconds of frames that wait in it before it is full."""


NOMINAL: Final = Slow(25e6, 0.02)
DEEP: Final = Slow(5e6, 0.1)
"""A slow link as bad as they come: its copies are a tenth of a second late."""


@contextmanager
def build(slow: Slow) -> Iterator[Lab]:
    """Give a lab of a fast link and a slow one, both shaped by the kernel (tbf)."""
    shape = f"tbf rate {slow.rate:.0f} burst {max(3100, slow.rate / 8 * 0.005):.0f} latency {slow.queue * 1e3:g}ms"
    with Lab(links=[LinkSpec(rate=FAST), LinkSpec(rate=int(slow.rate))]) as lab:
        for host in lab.hosts:
            host.tc(f"qdisc replace dev eth1 root {shape}")
        yield lab


def left(slow: Slow, family: Family) -> float:
    """Transfer over the fast link alone, then with alagg over both; give what is left of the goodput."""
    with build(slow) as lab:
        alone = lab.a.transfer(lab.b, size=SIZE, family=family)
        lab.start_nodes()
        lab.await_links()
        joined = lab.a.transfer(lab.b, size=SIZE, family=family)
        shed = lab.a.node.status()["links"][1]["tx_dropped_full"]
        lab.stop_nodes()
    say(alone, joined, f"the slow link shed {shed} copies")
    assert joined.intact
    assert shed > SIZE / 1500 / 2, "the slow link was not full, so this proves nothing"
    return joined.goodput / alone.goodput


@pytest.mark.parametrize("family", [4, pytest.param(6, marks=pytest.mark.slow)])
def test_tcp_keeps_what_the_fast_link_gives_alone(family: Family) -> None:
    """0.983 is what the headers leave. (A program whose sends wait for the slow link keeps a third.)"""
    assert left(NOMINAL, family) >= 0.95


@pytest.mark.slow
def test_tcp_does_not_wait_for_a_deep_queue() -> None:
    """When numbers that no link took were not given once more, a third was left."""
    assert left(DEEP, 4) >= 0.8


def test_a_stream_that_the_fast_link_carries_loses_nothing_and_waits_for_nothing() -> None:
    with build(DEEP) as lab:
        lab.start_nodes()
        lab.await_links()
        udp = measure.stream(lab.a, lab.b, count=10_000, interval=1 / 4000)
        pings = measure.ping(lab.a, lab.b, count=200, interval=0.01).result()
        stream, slow = udp.result(), lab.a.node.status()["links"][1]
        lab.stop_nodes()
    say(stream, pings, slow)
    assert (stream.lost, stream.duplicated, stream.out_of_order) == (0, 0, 0)
    assert (pings.lost, pings.duplicated) == (0, 0)
    assert pings.rtt_p50 is not None
    assert pings.rtt_p50 < DEEP.queue / 2, "the fast copy waited for the slow one"
    assert slow["tx_dropped_full"] > 1000, "the slow link was not full, so this proves nothing"
