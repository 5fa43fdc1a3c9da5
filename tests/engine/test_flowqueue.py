"""The flow queue: fair between flows, bounded, nothing stands for long, and every packet has one fate."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.ecn import CONGESTED, codepoint
from alagg.engine.flowqueue import INTERVAL, Budget, FlowQueue, flow_hash
from tests.engine.helpers import ipv4, ipv6


def datagram(flow: int, size: int = 1000, ecn: int = 0) -> bytes:
    """Give an IPv4 packet of a flow, told by its ports."""
    packet = ipv4(flow.to_bytes(4, "big").ljust(size - 20, b"\0"))
    return bytes([packet[0], packet[1] | ecn]) + packet[2:]


def test_a_flow_alone_stays_in_order() -> None:
    queue = FlowQueue(Budget())
    packets = [ipv4(bytes(4) + bytes([number])) for number in range(50)]
    queue.put(packets, 0.0)
    assert [queue.take(0.001) for _ in range(51)] == [*packets, None]


def test_flows_share_by_bytes_and_who_begins_goes_first() -> None:
    queue = FlowQueue(Budget())
    queue.put([datagram(1, 1500)] * 100, 0.0)
    queue.put([datagram(2, 300)] * 500, 0.0)
    taken: Counter[int] = Counter()
    for _ in range(200):
        packet = queue.take(0.001)
        assert packet is not None
        taken[packet[23]] += len(packet)
    assert 0.8 < taken[1] / taken[2] < 1.25
    queue.put([datagram(3, 100)], 0.002)
    assert queue.take(0.002) == datagram(3, 100)


def test_a_standing_queue_is_dropped_from_and_a_short_one_never() -> None:
    queue = FlowQueue(Budget())
    for step in range(1000):  # two come for each that goes
        now = step * 0.001
        queue.put([datagram(1)] * 2, now)
        queue.take(now)
    assert queue.dropped_delay > 10
    calm = FlowQueue(Budget())
    for step in range(1000):
        now = step * 0.001
        calm.put([datagram(1)] * 2, now)
        assert calm.take(now + 0.001) is not None
        assert calm.take(now + 0.002) is not None
    assert calm.dropped_delay == 0


def test_who_understands_ecn_loses_nothing() -> None:
    queue = FlowQueue(Budget())
    seen = []
    for step in range(1000):
        now = step * 0.001
        queue.put([datagram(1, ecn=2)] * 2, now)
        seen.append(queue.take(now))
    assert queue.dropped_delay == 0
    assert sum(codepoint(packet or b"") == CONGESTED for packet in seen) == queue.marked > 5
    assert 0 < INTERVAL < 1


def test_the_longest_flow_makes_room() -> None:
    budget = Budget(limit=100_000)
    greedy, modest = FlowQueue(budget), FlowQueue(budget)
    greedy.limit = 50_000
    greedy.put([datagram(1)], 0.0)
    greedy.put([datagram(2)] * 100, 0.0)
    assert (greedy.bytes, greedy.dropped_full) == (50_000, 51)
    modest.put([datagram(3)] * 100, 0.0)
    assert (modest.bytes, budget.used) == (50_000, 100_000)
    assert datagram(1) in [greedy.take(0.001) for _ in range(50)]
    modest.clear()
    greedy.clear()
    assert budget.used == 0


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(24, 1500), st.booleans(), st.floats(0, 0.05)), max_size=200))
def test_every_packet_has_one_fate(steps: list[tuple[int, int, bool, float]]) -> None:
    budget = Budget()
    queue = FlowQueue(budget)
    queue.limit = 20_000
    now, put, taken = 0.0, 0, 0
    for flow, size, takes, pause in steps:
        now += pause
        queue.put([datagram(flow, size)] * 3, now)
        put += 3
        taken += takes and queue.take(now) is not None
        assert put == taken + queue.packets + queue.dropped_full + queue.dropped_delay
        assert budget.used == queue.bytes <= 20_000
    while queue.take(now) is not None:
        taken += 1
    assert (queue.packets, queue.bytes) == (0, 0)
    assert put == taken + queue.dropped_full + queue.dropped_delay


@given(st.binary(max_size=60))
def test_anything_has_a_hash(packet: bytes) -> None:
    assert flow_hash(packet) >= 0


def test_a_flow_is_told_by_addresses_and_ports_and_fragments_by_addresses() -> None:
    for make in (ipv4, ipv6):
        assert flow_hash(make(b"12345678")) == flow_hash(make(b"1234abcd")) != flow_hash(make(b"12355678"))
    fragments = [bytearray(ipv4(payload)) for payload in (b"12345678", b"87654321")]
    for fragment in fragments:
        fragment[6] = 0x20
    assert flow_hash(bytes(fragments[0])) == flow_hash(bytes(fragments[1]))
