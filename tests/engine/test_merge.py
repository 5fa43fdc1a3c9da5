"""Merging: what goes in comes out, in order; super-packets are what the kernel's own merging would make."""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.merge import ALONE, MAX_LENGTH, MAX_SEGMENTS, Item, Merger
from alagg.engine.segment import complete, cut
from tests.engine.packets import (
    ACK,
    AE,
    CWR,
    ECE,
    EXTENSIONS,
    FIN,
    PSH,
    RST,
    SYN,
    TCP,
    TIMESTAMPS,
    UDP,
    URG,
    Packet,
    checksum,
    packets,
    parse,
    payload,
    segmented,
    shortened,
    v6,
    with_length,
)

BOTH = pytest.mark.parametrize("base", [Packet(), v6()], ids=["IPv4", "IPv6"])
STEP = 100
GSO_TYPES = {4: 1, 6: 4}


def merge(*items: Packet) -> list[Item]:
    return Merger().merge([item.pack() for item in items])


def whole(item: Item) -> bytes:
    """Give what is written after the vnet header."""
    _, head, parts, offset = item
    return head + b"".join(part[offset:] for part in parts)


def stream(base: Packet, count: int, **last: Any) -> list[Packet]:
    """Give segments of a flow that follow each other; the last one may be different."""
    made = [
        replace(
            base,
            sequence=(base.sequence + STEP * index) % 2**32,
            identification=(base.identification + (index if base.version == 4 else 0)) % 2**16,
            payload=payload(STEP, index),
        )
        for index in range(count)
    ]
    return [*made[:-1], replace(made[-1], **last)]


def counts(items: list[Item]) -> list[int]:
    """Give how many packets each item stands for."""
    return [len(parts) or 1 for _, _, parts, _ in items]


@given(packets(max_payload=20_000), st.integers(1, 1500))
def test_merging_undoes_cutting(packet: Packet, step: int) -> None:
    segments = cut(packet.pack_partial(), len(packet.pack()) - len(packet.payload) + step)
    items = Merger().merge(segments)
    merged = b"".join(parse(complete(whole(item))).payload for item in items)
    assert merged == packet.payload
    assert sum(counts(items)) == len(segments)
    assert [item[0] == ALONE for item in items] == [count == 1 for count in counts(items)]
    plain = not packet.ip_options and not packet.extensions and not packet.flags & CWR
    if plain and len(segments) <= MAX_SEGMENTS:
        assert [complete(whole(item)) for item in items] == [packet.pack()]
    elif not plain and not packet.flags & CWR:
        assert [whole(item) for item in items] == segments


@BOTH
def test_super_packet_is_described_as_the_kernel_wants_it(base: Packet) -> None:
    base = replace(base, options=TIMESTAMPS)
    made = stream(base, 5)
    (item,) = merge(*made)
    vnet, head, parts, offset = item
    at = 20 if base.version == 4 else 40
    start = at + 32
    assert struct.unpack("=BBHHHH", vnet) == (1, GSO_TYPES[base.version], start, STEP, at, 16)
    assert (parts, offset, len(head)) == ([packet.pack() for packet in made], start, start)
    super_packet = replace(made[0], payload=b"".join(packet.payload for packet in made))
    assert complete(whole(item)) == super_packet.pack()
    assert head == super_packet.pack_partial()[:start]


@BOTH
@pytest.mark.parametrize("ending", [PSH, FIN, PSH | FIN])
def test_push_and_fin_end_a_super_packet(base: Packet, ending: int) -> None:
    made = stream(base, 5)
    made[2] = replace(made[2], flags=ACK | ending)
    items = merge(*made)
    assert counts(items) == [3, 2]
    assert parse(complete(whole(items[0]))).flags == ACK | ending
    assert parse(complete(whole(items[1]))).flags == ACK


@BOTH
@pytest.mark.parametrize("ending", [PSH, FIN])
def test_push_and_fin_begin_nothing(base: Packet, ending: int) -> None:
    made = stream(base, 3)
    assert counts(merge(replace(made[0], flags=ACK | ending), *made[1:])) == [1, 2]


@BOTH
def test_shorter_segment_ends_a_super_packet(base: Packet) -> None:
    made = stream(base, 3, payload=payload(STEP - 1))
    after = replace(made[0], sequence=made[2].sequence + STEP - 1, identification=made[2].identification + 1)
    assert counts(merge(*made, after)) == [3, 1]


@BOTH
def test_longer_segment_begins_anew(base: Packet) -> None:
    assert counts(merge(*stream(base, 3, payload=payload(STEP + 1)))) == [2, 1]


DIFFERENT: dict[str, dict[str, Any]] = {
    "source port": {"sport": 1001},
    "destination port": {"dport": 2001},
    "TOS": {"tos": 4},
    "TTL": {"ttl": 63},
    "sequence ahead": {"sequence": 1 + 2 * STEP + 1},
    "sequence again": {"sequence": 1 + STEP},
    "acknowledgement": {"acknowledgement": 3},
    "window": {"window": 501},
    "options": {"options": TIMESTAMPS[:-1] + b"\x03"},
    "more options": {"options": TIMESTAMPS * 2},
    "no options": {"options": b""},
    "urgent pointer": {"urgent": 1},
    "SYN": {"flags": SYN | ACK},
    "RST": {"flags": RST | ACK},
    "URG": {"flags": URG | ACK},
    "ECE": {"flags": ECE | ACK},
    "CWR": {"flags": CWR | ACK},
    "AE": {"flags": AE | ACK},
    "no ACK": {"flags": 0},
    "no payload": {"payload": b""},
}


@BOTH
@pytest.mark.parametrize("difference", DIFFERENT)
def test_what_is_different_stays_apart(base: Packet, difference: str) -> None:
    base = replace(base, options=TIMESTAMPS)
    items = merge(*stream(base, 3, **DIFFERENT[difference]))
    assert counts(items) == [2, 1]
    assert items[1] == (ALONE, stream(base, 3, **DIFFERENT[difference])[2].pack(), [], 0)


@BOTH
@pytest.mark.parametrize("flags", [SYN | ACK, RST | ACK, URG | ACK, CWR | ACK, 0])
def test_some_flags_never_merge(base: Packet, flags: int) -> None:
    assert counts(merge(*stream(replace(base, flags=flags), 3))) == [1, 1, 1]


@BOTH
@pytest.mark.parametrize("flags", [ACK | ECE, ACK | AE])
def test_ecn_marks_that_all_have_merge(base: Packet, flags: int) -> None:
    assert counts(merge(*stream(replace(base, flags=flags), 3))) == [3]


def test_ipv6_flow_label() -> None:
    assert counts(merge(*stream(v6(), 3, flow_label=1))) == [2, 1]


def test_identification_counts_up() -> None:
    for fragment in (0, 0x4000):
        made = stream(Packet(identification=0xFFFE, fragment=fragment), 4)
        assert counts(merge(*made)) == [4]
        assert counts(merge(*made[:3], replace(made[3], identification=9))) == [3, 1]


def test_fixed_identification_needs_df() -> None:
    fixed = [replace(packet, identification=0) for packet in stream(Packet(), 4)]
    assert counts(merge(*fixed)) == [4]
    assert counts(merge(*fixed[:3], replace(fixed[3], identification=3))) == [3, 1]
    assert counts(merge(*(replace(packet, fragment=0) for packet in fixed))) == [1] * 4


def test_identification_that_counted_up_is_not_fixed() -> None:
    made = stream(Packet(), 3)
    assert counts(merge(*made[:2], replace(made[2], identification=made[1].identification))) == [2, 1]
    assert counts(merge(*made[:2], replace(made[2], identification=made[0].identification))) == [2, 1]


def test_df_must_agree() -> None:
    assert counts(merge(*stream(Packet(), 3, fragment=0))) == [2, 1]


@BOTH
@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_damaged_packet_is_passed_on_as_it_came(base: Packet, damaged: int) -> None:
    made = [packet.pack() for packet in stream(base, 3)]
    made[damaged] = made[damaged][:-1] + bytes([made[damaged][-1] ^ 1])
    items = Merger().merge(made)
    assert (ALONE, made[damaged], [], 0) in items
    assert sum(counts(items)) == 3
    assert max(counts(items)) == (1 if damaged == 1 else 2)


def test_damaged_ip_header_is_not_mended() -> None:
    made = [packet.pack() for packet in stream(Packet(), 3)]
    made[1] = made[1][:10] + bytes([made[1][10] ^ 1]) + made[1][11:]
    assert counts(Merger().merge(made)) == [1, 1, 1]


@pytest.mark.parametrize(("base", "header"), [(Packet(), 40), (v6(), 60)], ids=["IPv4", "IPv6"])
def test_super_packets_have_a_largest_length(base: Packet, header: int) -> None:
    step = 8000
    made = [
        replace(base, payload=payload(step), sequence=1 + step * index, identification=7 + index)
        for index in range(20)
    ]
    items = merge(*made)
    assert counts(items) == [8, 8, 4]
    assert max(len(whole(item)) for item in items) == header + 8 * step <= MAX_LENGTH
    assert b"".join(parse(complete(whole(item))).payload for item in items) == b"".join(p.payload for p in made)


@BOTH
def test_super_packets_have_a_largest_count(base: Packet) -> None:
    assert counts(merge(*stream(base, 2 * MAX_SEGMENTS + 3))) == [MAX_SEGMENTS, MAX_SEGMENTS, 3]


@BOTH
def test_sequence_wraps(base: Packet) -> None:
    assert counts(merge(*stream(replace(base, sequence=2**32 - 150), 5))) == [5]


@BOTH
def test_flows_merge_side_by_side(base: Packet) -> None:
    flows = [stream(replace(base, sport=port), 4) for port in range(10)]
    items = merge(*(flow[index] for index in range(4) for flow in flows))
    assert counts(items) == [4] * 10
    assert [parse(complete(whole(item))).sport for item in items] == list(range(10))


@BOTH
def test_pure_acknowledgement_keeps_its_place_in_the_flow(base: Packet) -> None:
    made = stream(base, 4)
    pure = replace(made[1], payload=b"", acknowledgement=9)
    assert counts(merge(made[0], made[1], pure, made[2], made[3])) == [2, 1, 2]


@pytest.mark.parametrize(
    ("base", "unusual"),
    [
        (Packet(), {"fragment": 0x2000}),
        (Packet(), {"fragment": 0x0001}),
        (Packet(), {"ip_options": b"\x94\x04\x00\x00"}),
        (v6(), {"extensions": ((44, bytes(6)),)}),
        *((v6(), {"extensions": (extension,)}) for extension in EXTENSIONS),
    ],
)
def test_unusual_headers_neither_merge_nor_are_overtaken(base: Packet, unusual: dict[str, Any]) -> None:
    made = stream(base, 5)
    made[2] = replace(made[2], **unusual)
    assert counts(merge(*made)) == [2, 1, 2]
    assert counts(merge(*(replace(packet, **unusual) for packet in made))) == [1] * 5
    pure = replace(base, payload=b"", **unusual)
    assert counts(merge(made[0], made[1], pure, *stream(base, 4)[2:])) == [2, 1, 2]


@pytest.mark.parametrize("protocol", [TCP, UDP])
@BOTH
def test_packet_that_ends_within_its_headers_stays_alone(base: Packet, protocol: int) -> None:
    packets = shortened(replace(base, protocol=protocol, options=TIMESTAMPS, payload=b""))
    assert [item[1] for item in Merger().merge(packets)] == packets
    for packet in packets:
        assert counts(Merger().merge([packet] * 3)) == [1] * 3


@pytest.mark.parametrize("words", [0, 4, 15])
@BOTH
def test_tcp_header_of_an_impossible_length(base: Packet, words: int) -> None:
    """Checksum and sequence are right, so that nothing else gives the packets away."""
    step = 60 - 4 * words
    made = [replace(packet, sequence=1 + step * index) for index, packet in enumerate(stream(base, 3))]
    assert counts(Merger().merge([with_data_offset(packet, words) for packet in made])) == [1] * 3


def with_data_offset(packet: Packet, words: int) -> bytes:
    """Give a packet with 40 bytes of payload and another data offset, made up for in the payload."""
    data = replace(packet, payload=b"\x00\x00" + packet.payload[:38]).pack()
    at = len(data) - 60
    difference = (5 - words) * 0x1000 % 65535
    head = data[: at + 12] + bytes([words << 4]) + data[at + 13 : at + 20]
    data = head + difference.to_bytes(2, "big") + data[at + 22 :]
    assert checksum(packet.pseudo_header(60) + data[at:]) == 0
    return data


@BOTH
def test_length_in_the_ip_header_is_what_counts(base: Packet) -> None:
    made = [packet.pack() for packet in stream(base, 3)]
    wrong = [with_length(data, len(data) - 1) for data in made]
    assert counts(Merger().merge(wrong)) == [1] * 3
    assert counts(Merger().merge([made[0], made[1], wrong[2], made[2]])) == [2, 1, 1]


@BOTH
def test_datagrams_stay_as_they_are_and_leave_tcp_of_the_same_ports_alone(base: Packet) -> None:
    tcp, udp = stream(base, 4), stream(replace(base, protocol=UDP), 4)
    items = merge(*(packet for pair in zip(tcp, udp, strict=True) for packet in pair))
    assert counts(items) == [4, 1, 1, 1, 1]
    assert items[1:] == [(ALONE, packet.pack(), [], 0) for packet in udp]


def test_ip_header_checksum_of_zero_stays_zero() -> None:
    (item,) = merge(*stream(Packet(identification=0), 3))
    (item,) = merge(*stream(Packet(identification=int.from_bytes(item[1][10:12], "big")), 3))
    assert item[1][10:12] == bytes(2)


@BOTH
def test_other_protocols_do_not_disturb(base: Packet) -> None:
    made = stream(base, 4)
    assert counts(merge(made[0], made[1], replace(base, protocol=47), made[2], made[3])) == [4, 1]


def test_batches_are_apart_and_counted() -> None:
    merger = Merger()
    made = [packet.pack() for packet in stream(Packet(), 6)]
    assert counts(merger.merge(made[:3])) == [3]
    assert counts(merger.merge(made[3:5])) == [2]
    assert counts(merger.merge(made[5:])) == [1]
    assert merger.merge([]) == []
    assert (merger.merged, merger.super_packets) == (5, 2)


@st.composite
def batches(draw: st.DrawFn) -> list[Packet]:
    """Give a batch in which a few flows go on, each with its own mishaps."""
    flows = [
        replace(base, sport=port, protocol=protocol)
        for port in range(2)
        for base in (Packet(), v6())
        for protocol in (TCP, UDP)
    ]
    batch: list[Packet] = []
    for which in draw(st.lists(st.integers(0, len(flows) - 1), max_size=60)):
        size = draw(st.sampled_from([STEP, STEP, STEP, STEP, 7, 0, 300]))
        flags = draw(st.sampled_from([ACK] * 6 + [ACK | PSH, ACK | FIN, ACK | CWR, SYN, ACK | URG]))
        packet = replace(flows[which], flags=flags, payload=payload(size, len(batch)))
        batch.append(packet)
        flows[which] = replace(
            flows[which],
            sequence=flows[which].sequence + size,
            identification=flows[which].identification + (packet.version == 4),
        )
    return batch


@given(batches())
def test_each_flow_is_taken_apart_into_what_it_was(batch: list[Packet]) -> None:
    after = [parse(packet) for item in merge(*batch) for packet in taken_apart(item)]
    for flow in {flow_of(packet) for packet in batch}:
        before = [packet.pack() for packet in batch if flow_of(packet) == flow]
        assert [packet.pack() for packet in after if flow_of(packet) == flow] == before


def taken_apart(item: Item) -> list[bytes]:
    """Do the kernel's part: cut a super-packet as its vnet header says."""
    if item[0] == ALONE:
        return [item[1]]
    step = struct.unpack("=BBHHHH", item[0])[3]
    return [part.pack() for part in segmented(parse(complete(whole(item))), step)]


def flow_of(packet: Packet) -> tuple[int, int, int]:
    return packet.version, packet.protocol, packet.sport
