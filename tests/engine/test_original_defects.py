"""The ten defects of the 2015 program: each one that belongs to the engine has its test here, by its number.

Those of the edges stand with the edges: `test_defect_6_…` and `test_defect_7_…` in `tests/ports/test_ethernet.py`,
`test_defect_8_…` there and in `tests/test_worker.py`, `test_defect_9_…` in `tests/ports/test_nfqueue.py`; what a link
that is pulled does to a whole host is in `tests/netns/test_link_pull.py`.
"""

from __future__ import annotations

import re
import threading
import tracemalloc
from pathlib import Path

import pytest

from alagg.engine.header import decode
from alagg.engine.reorder import SLOTS
from alagg.engine.sequence import HALF, MASK
from alagg.engine.state import SILENT, UP
from alagg.lab.impairment import Settings
from tests.engine.helpers import (
    ONE,
    TWO,
    batch,
    carry,
    data_frames,
    frame,
    ipv4,
    ipv6,
    numbered,
    numbers,
    pair,
    settings,
    take_frames,
)
from tests.sim.network import Network

LARGEST_MEMORY = 1_000_000
"""Bytes that a single strange frame may cost at most: a window and some bookkeeping."""


def test_defect_1_each_number_is_given_once_per_wrap() -> None:
    """The 2015 program counted modulo 65535 in 16 bits, so number 0 went out twice per wrap."""
    one, two = pair("fibre", "radio")
    sender = one.peers["peer"].sender
    for start in (0xFFFE, MASK - 3):
        sender.sequence = start
        one.send(numbered(range(8)), 0.0)
        frames = [decode(data) for data in take_frames(one.peers["peer"].links["fibre"])]
        assert [sequence for _, _, _, sequence, *_ in frames] == [start + step & MASK for step in range(8)]
        carry(one, two, 0.0)


def test_defect_1_nothing_is_lost_or_repeated_at_the_wrap() -> None:
    one, two = pair("fibre", "radio")
    one.peers["peer"].sender.sequence = MASK - 50
    for start in range(0, 100, 10):
        packets = numbered(range(start, start + 10))
        one.send(packets, 0.0)
        assert carry(one, two, 0.0) == packets


@pytest.mark.parametrize("first", [MASK - 3, 0xFFFF - 3])
def test_defect_2_what_waits_is_released_across_the_wrap(first: int) -> None:
    """The 2015 program's loop over the waiting packets ended at the wrap."""
    _, two = pair("fibre", "radio")
    links = two.peers["peer"].links
    two.receive(links["radio"], *batch(data_frames([first])), 0.0)
    two.receive(links["fibre"], *batch(data_frames(range(first + 2, first + 9))), 0.0)
    assert numbers(two.take_packets()) == [first]
    two.receive(links["radio"], *batch(data_frames([first + 1])), 0.0)
    assert numbers(two.take_packets()) == [number & MASK for number in range(first + 1, first + 9)]


@pytest.mark.parametrize("jump", [SLOTS, 1 << 15, 1 << 16, 1 << 20, HALF - 1, HALF, MASK - 5])
def test_defect_3_jump_costs_little_and_stalls_nothing(jump: int) -> None:
    """In the 2015 program one jump grew the pool to 32,767 slots, and the line waited for all of them."""
    _, two = pair("fibre", "radio")
    links = two.peers["peer"].links
    for link in links.values():
        two.receive(link, *batch(data_frames(range(10))), 0.0)
    two.take_packets()
    tracemalloc.start()
    try:
        two.receive(links["fibre"], *batch(data_frames([10 + jump], first_link_sequence=10)), 0.0)
        memory, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert memory < LARGEST_MEMORY
    two.take_packets()
    for link in links.values():
        two.receive(link, *batch(data_frames(range(10, 20), first_link_sequence=11)), 0.0)
    assert numbers(two.take_packets()) == list(range(10, 20))


def test_defect_4_packets_out_of_order_start_no_threads_and_share_one_timer() -> None:
    """The 2015 program started a thread for each packet that came out of order."""
    _, two = pair("fibre", "radio")
    links = two.peers["peer"].links
    threads = set(threading.enumerate())
    two.handle_timer(0.0)
    two.receive(links["radio"], *batch(data_frames([0])), 0.0)
    for number in range(2, 2000, 2):
        two.receive(links["fibre"], *batch(data_frames([number])), 0.0)
    assert set(threading.enumerate()) <= threads
    deadline = two.deadline()
    two.take_packets()
    two.handle_timer(deadline)
    assert numbers(two.take_packets()) == list(range(2, 2000, 2))


@pytest.mark.parametrize("last", [5, 40_000, MASK])
def test_defect_5_restarted_sender_is_heard_at_once(last: int) -> None:
    """The 2015 program dropped up to 32,767 packets of a restarted sender as too old."""
    _, two = pair("fibre", "radio")
    links = two.peers["peer"].links
    for link in links.values():
        two.receive(link, *batch(data_frames(range(last - 5, last + 1), epoch=1)), 0.0)
    two.take_packets()
    for number in range(100):
        now = 0.001 * number
        for link in links.values():
            two.receive(link, *batch(data_frames([number], epoch=2)), now)
        assert numbers(two.take_packets()) == [number]


@pytest.mark.parametrize("length", range(30))
def test_defect_6_padding_is_not_payload(length: int) -> None:
    """Ethernet pads short frames, and the 2015 program had no length to tell the padding from the payload."""
    _, two = pair("fibre")
    packet = ipv4(bytes(length))
    padded = frame(0, packet).ljust(60, b"\xaa")
    two.receive(two.peers["peer"].links["fibre"], *batch([padded]), 0.0)
    assert two.take_packets() == [packet]


def test_defect_7_only_the_peers_addresses_come_in_and_only_to_ours() -> None:
    """The 2015 program injected whatever came."""
    _, two = pair("fibre")
    packets = [ipv4(b"", "192.0.2.1", TWO), ipv4(b"", ONE, "192.0.2.1"), ipv6(b"", "2001:db8::1"), b"no packet"]
    frames = [frame(number, packet) for number, packet in enumerate(packets)]
    peer = two.peers["peer"]
    two.receive(peer.links["fibre"], *batch(frames), 0.0)
    assert two.take_packets() == []
    assert peer.receiver.refused == {"foreign_source": 2, "foreign_destination": 1, "malformed_packet": 1}


def test_defect_8_link_that_takes_nothing_delays_nothing_and_is_counted() -> None:
    """In the 2015 program a send that failed went unnoticed, and one link that blocked held up the others."""
    network = Network(seed=1)
    one, two = network.host(), network.host()
    network.connect(one, two, "fibre", Settings(delay=0.001))
    blocked = network.connect(one, two, "radio", Settings(delay=0.001, rate=1.0, queue=0.0))
    stream = network.stream(one, two, count=500, interval=0.001)
    network.run(2.0)
    report = stream.report()
    assert report[:4] == (500, 0, 0, 0)
    assert report.longest_delay == pytest.approx(0.001)
    assert one.link(blocked).tx_dropped_full >= 499


def test_defect_8_packets_that_no_link_took_are_counted() -> None:
    one, _ = pair("fibre", "radio")
    one.send(numbered(range(10)), 0.0)
    for link, taken in zip(one.queued_links(), (4, 6), strict=True):
        take_frames(link, taken)
    one.settle()
    sender = one.peers["peer"].sender
    assert (sender.captured, sender.sent, sender.waiting) == (10, 6, 4)
    while sender.waiting:
        one.handle_timer(one.deadline())
        for link in one.queued_links():
            take_frames(link, 0)
        one.settle()
    assert (sender.captured, sender.sent, sender.dropped_full) == (10, 6, 4)


def test_defect_9_ipv6_is_as_good_as_ipv4() -> None:
    """The 2015 program knew IPv4 only (and queue 0 only; see `tests/ports/test_nfqueue.py`)."""
    one, two = pair("fibre", "radio")
    packets = [ipv6(bytes(size)) for size in (0, 1, 1400, 1500, 40_000)]
    one.send(packets, 0.0)
    assert carry(one, two, 0.0, without=["fibre"]) == packets


def test_defect_10_health_failover_and_statistics() -> None:
    """The 2015 program never asked whether a link works, and counted nothing."""
    network = Network(seed=1)
    one, two = network.host(), network.host()
    fibre = network.connect(one, two, "fibre", Settings(delay=0.002))
    network.connect(one, two, "radio", Settings(delay=0.01))
    stream = network.stream(one, two, count=1000, interval=0.005)
    (peer,) = one.endpoint.peers.values()
    network.run(1.0)
    monitor = peer.monitors[one.link(fibre)]
    assert monitor.rtt == pytest.approx(0.004)
    states = [monitor.state]
    for time, change in ((3.0, fibre.cut), (6.0, fibre.mend)):
        change()
        network.run(time)
        states.append(monitor.state)
    assert states == [UP, SILENT, UP]
    assert stream.report()[:4] == (1000, 0, 0, 0)
    assert [str(event) for _, event in one.events if getattr(event, "link", "") == "fibre"] == [
        "link fibre to host2 is up",
        "link fibre to host2 is silent: the peer does not answer",
        "link fibre to host2 is up",
    ]
    assert peer.sender.sent == 1000
    assert one.link(fibre).tx_frames > 1000


def test_defect_10_links_come_and_go_while_packets_flow() -> None:
    """The 2015 program had neither hot-plug nor reload."""
    one, two = pair("fibre", "radio")
    for links in (["radio"], ["radio", "cable"], ["cable"], ["cable", "fibre"]):
        one.update([settings(*links)], 0.0)
        two.update([settings(*links, destinations=[ONE])], 0.0)
        packets = numbered(range(10))
        one.send(packets, 0.0)
        assert carry(one, two, 0.0) == packets


@pytest.mark.parametrize("number", range(1, 11))
def test_each_defect_has_a_test_that_names_it(number: int) -> None:
    names = re.compile(rf"^def test_defect_{number}_", re.MULTILINE)
    tests = Path(__file__).parent.parent
    assert any(names.search(path.read_text(encoding="utf-8")) for path in tests.rglob("test_*.py"))
