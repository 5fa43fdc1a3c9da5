"""A link is pulled in each way that occurs, under traffic: no ping is lost, and TCP does not stand still.

Link 0 is the hard one: its interface carries the addresses and the routes of the host.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab import measure
from alagg.lab.topology import Lab
from tests.netns.conftest import running, say
from tests.netns.heartbeat import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.measure import Family, Running, Transfer

pytestmark = pytest.mark.netns

PINGS: Final = 800
INTERVAL: Final = 0.005
PULLED: Final = 0.5
BACK: Final = 2.5
END: Final = PINGS * INTERVAL
"""Seconds from the start of the traffic until the link is pulled, until it is back, and until the traffic ends."""
RATE: Final = 16e6
"""The pace of each transfer in bits per second: it lasts from before the pull until the link is back for a while."""
STALL: Final = 0.05
"""Seconds for which a transfer may stand still."""

Pull = Callable[[Lab, int], None]
WAYS: Final[dict[str, tuple[Pull, Pull]]] = {
    "carrier lost": (lambda lab, link: lab.wire[link].unplug(), lambda lab, link: lab.wire[link].plug()),
    "down here": (lambda lab, link: lab.a.link_down(link), lambda lab, link: lab.a.link_up(link)),
    "down there": (lambda lab, link: lab.b.link_down(link), lambda lab, link: lab.b.link_up(link)),
    "deleted here": (
        lambda lab, link: lab.wire[link].delete_device(lab.a),
        lambda lab, link: lab.wire[link].create_device(lab.a),
    ),
    "deleted there": (
        lambda lab, link: lab.wire[link].delete_device(lab.b),
        lambda lab, link: lab.wire[link].create_device(lab.b),
    ),
}
"""How a link goes and how it comes back."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running(Lab(links=2)) as built:
        yield built


@pytest.fixture(scope="module")
def plain() -> Iterator[Lab]:
    """Give a bare veth pair without alagg: when TCP stands still there, too, this machine was busy elsewhere."""
    with Lab(links=1, direct=True) as built:
        yield built


@pytest.mark.parametrize("link", [0, 1])
@pytest.mark.parametrize("way", WAYS)
def test_a_pulled_link_loses_no_ping_and_stalls_no_transfer(lab: Lab, plain: Lab, way: str, link: int) -> None:
    pull, back = WAYS[way]
    with ExitStack() as stack:
        heartbeat = stack.enter_context(Heartbeat())
        pings = [measure.ping(lab.a, lab.b, count=PINGS, interval=INTERVAL, family=family) for family in (4, 6)]
        transfers = [_transfer(lab, 4), _transfer(lab, 6), _transfer(plain, 4)]
        for stop in (*(ping.stop for ping in pings), *(transfer.stop for transfer in transfers)):
            stack.callback(stop)
        start = time.monotonic()
        time.sleep(PULLED)
        pull(lab, link)
        time.sleep(max(0.0, start + BACK - time.monotonic()))
        states = {host.letter: host.node.status()["links"][link]["state"] for host in lab.hosts}
        back(lab, link)
        four, six = (one.result() for one in pings)
        tcp_four, tcp_six, control = (one.result() for one in transfers)
    lab.await_links()
    paused = heartbeat.longest_pause
    say(f"IPv4 {four}", f"IPv6 {six}", f"TCP4 {tcp_four}", f"TCP6 {tcp_six}", f"plain veth {control}")
    say(f"longest pause of a processor: {paused * 1e3:.1f} ms")
    assert set(states.values()) != {"up"}, f"the link was not gone: {states}"
    assert (four.sent, four.lost, four.duplicated) == (PINGS, 0, 0)
    assert (six.sent, six.lost, six.duplicated) == (PINGS, 0, 0)
    for transfer in (tcp_four, tcp_six):
        assert transfer.intact
        assert transfer.seconds > BACK, "the transfer was over before the link came back"
        assert transfer.longest_stall <= max(STALL, 2 * control.longest_stall) + paused


def _transfer(lab: Lab, family: Family) -> Running[Transfer]:
    return measure.transfer(lab.b, lab.a, size=int(RATE / 8 * END), rate=RATE, family=family)
