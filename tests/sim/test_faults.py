"""The fault matrix in virtual time: what one of two links does must not reach the application.

The faults are those of `alagg lab faults`, run here in all families and directions at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab.faults import FAULTS, Fault
from alagg.lab.impairment import Settings
from tests.sim import snapshot
from tests.sim.network import Network

if TYPE_CHECKING:
    from tests.sim.stream import Report

COUNT: Final = 400
INTERVAL: Final = 0.01
BAD: Final = Settings(delay=0.02, jitter=0.015, loss=0.3, duplicate=0.2, corrupt=0.2)


def run(fault: Fault, seed: int = 1) -> list[Report]:
    """Send a stream per family and direction while a fault is there; give what became of each."""
    network = Network(seed)
    one, two = network.host(), network.host()
    first = network.connect(one, two, "first", fault.first)
    network.connect(one, two, "second", fault.second)
    streams = [
        network.stream(origin, target, count=COUNT, interval=INTERVAL, family=family)
        for family in (4, 6)
        for origin, target in ((one, two), (two, one))
    ]
    if fault.cut:
        network.at(COUNT * INTERVAL / 2, first.cut)
    network.run(COUNT * INTERVAL + 2)
    return [stream.report() for stream in streams]


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("seed", range(5))
def test_nothing_is_lost_or_repeated_while_one_link_is_clean(name: str, seed: int) -> None:
    for report in run(FAULTS[name], seed):
        assert (report.sent, report.lost, report.duplicated) == (COUNT, 0, 0)


@pytest.mark.parametrize("seed", range(20))
def test_nothing_is_repeated_when_both_links_are_bad(seed: int) -> None:
    reports = run(Fault("both links do everything wrong at once", BAD, BAD), seed)
    assert [report.duplicated for report in reports] == [0] * 4
    assert all(0.05 * COUNT < report.lost < 0.45 * COUNT for report in reports)


def test_bad_link_does_not_delay_the_good_one() -> None:
    slow = Settings(delay=0.5, jitter=0.1)
    for report in run(Fault("a link is late", slow, Settings(delay=0.001))):
        assert report.longest_delay == pytest.approx(0.001)
        assert report.out_of_order == 0


def test_cut_leaves_no_gap() -> None:
    for report in run(FAULTS["cut"]):
        assert report.longest_gap == pytest.approx(INTERVAL)


def test_table_is_as_it_was() -> None:
    heading = ("fault", "stream", "sent", "lost", "twice", "out of order", "gap ms", "delay ms")
    rows: list[tuple[object, ...]] = [heading]
    matrix = {**FAULTS, "both bad": Fault("both links do everything wrong at once", BAD, BAD)}
    for name, fault in matrix.items():
        for stream, report in zip(("v4 there", "v4 back", "v6 there", "v6 back"), run(fault), strict=True):
            rows.append((name, stream, *report[:4], *(f"{1000 * time:.1f}" for time in report[4:])))
    snapshot.check("fault_matrix", snapshot.table(rows))
