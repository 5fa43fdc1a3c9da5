"""The fault matrix of the kernel's HSR self-test, with corruption and duplication: no ping lost, none doubled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab import measure
from alagg.lab.faults import FAULTS
from alagg.lab.topology import Lab
from tests.netns.conftest import running, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.measure import Stream

pytestmark = pytest.mark.netns

PINGS: Final = 400
INTERVAL: Final = 0.01
COUNTER: Final = {
    "cut": "cut", "loss": "lost", "fast-loss": "lost", "reorder": "reordered", "corrupt": "corrupted",
    "duplicate": "duplicated",
}  # fmt: skip
"""By fault: the emulator's counter that shows that it has struck."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running(Lab(links=2, emulated=True)) as built:
        yield built


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_one_link_neither_loses_nor_doubles_a_ping(lab: Lab, name: str) -> None:
    before = _struck(lab, name)
    four, six = _pings(lab, name)
    struck = _struck(lab, name) - before
    lab.wire[0].clear()
    lab.wire[1].clear()
    lab.await_links("up", "wary")  # one that came back often has to behave for longer before it is up
    say(f"{name}: struck {struck} frames; IPv4 {four}; IPv6 {six}")
    assert name == "clean" or struck > PINGS / 10, "the fault has hardly struck, so this proves nothing"
    assert (four.sent, four.lost, four.duplicated) == (PINGS, 0, 0)
    assert (six.sent, six.lost, six.duplicated) == (PINGS, 0, 0)


def _pings(lab: Lab, name: str) -> tuple[Stream, Stream]:
    """Ping over both families at once while the fault is in force; a cut comes halfway."""
    fault = FAULTS[name]
    lab.wire[0].apply(fault.first)
    lab.wire[1].apply(fault.second)
    four = measure.ping(lab.a, lab.b, count=PINGS, interval=INTERVAL)
    six = measure.ping(lab.a, lab.b, count=PINGS, interval=INTERVAL, family=6)
    if fault.cut:
        time.sleep(PINGS * INTERVAL / 2)
        lab.wire[0].cut()
    return four.result(), six.result()


def _struck(lab: Lab, name: str) -> int:
    """Give how many frames of link 0 the fault has struck so far, both directions together."""
    counter = COUNTER.get(name, "received")
    return sum(lab.wire[0].counters(towards=host)[counter] for host in lab.hosts)
