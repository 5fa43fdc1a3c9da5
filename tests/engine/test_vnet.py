"""What a device's header says is done: pieces of the very size that the sender asked for, checksums complete."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.vnet import SIZE, finish
from tests.engine.packets import ACK, CWR, TCP, TIMESTAMPS, UDP, Packet, aimed, packets, parse, payload, segmented, v6

BOTH = pytest.mark.parametrize("base", [Packet(), v6()], ids=["IPv4", "IPv6"])
NEEDS_CSUM, TCPV4, TCPV6, UDP_L4, ECN = 1, 1, 4, 5, 0x80


def transport(packet: Packet) -> int:
    """Give the offset of the transport header."""
    return len(packet.pack()) - len(packet.payload) - (8 if packet.protocol == UDP else 20 + len(packet.options))


def header(packet: Packet, step: int, *, kind: int | None = None) -> bytes:
    """Give what the kernel would write before a super-packet, or with a `step` of 0 before a single packet."""
    tcp = TCPV4 if packet.version == 4 else TCPV6
    usual = UDP_L4 if packet.protocol == UDP else tcp
    field = 6 if packet.protocol == UDP else 16
    chosen = (usual if step else 0) if kind is None else kind
    return struct.pack("=BBHHHH", NEEDS_CSUM, chosen, 54, step, transport(packet), field)


@given(packets(), st.integers(1, 3000), st.integers(0, 9000))
def test_segments_have_the_size_that_the_sender_asked_for(packet: Packet, step: int, room: int) -> None:
    bare = len(packet.pack()) - len(packet.payload)
    pieces = finish(packet.pack_partial(), header(packet, step), bare + room)
    narrow = min(step, room)
    if narrow == 0:
        assert pieces == [packet.pack()]
    else:
        assert [parse(piece) for piece in pieces] == segmented(packet, narrow)


@given(packets(UDP), st.integers(1, 3000))
def test_datagrams_have_the_size_that_the_sender_asked_for(packet: Packet, step: int) -> None:
    pieces = finish(packet.pack_partial(), header(packet, step), 100)
    assert [parse(piece) for piece in pieces] == segmented(packet, step)


@BOTH
def test_datagrams_of_one_byte_and_the_largest_of_all(base: Packet) -> None:
    small = replace(base, protocol=UDP, payload=payload(64))
    assert len(finish(small.pack_partial(), header(small, 1), 1500)) == 64
    large = replace(base, protocol=UDP, payload=payload(65_535 - 28))
    pieces = [parse(piece) for piece in finish(large.pack_partial(), header(large, 1400), 1500)]
    assert [len(piece.payload) for piece in pieces] == [1400] * 46 + [65_507 - 46 * 1400]
    assert b"".join(piece.payload for piece in pieces) == large.payload


@BOTH
def test_flag_of_ecn_is_no_other_kind(base: Packet) -> None:
    packet = replace(base, flags=ACK | CWR, payload=payload(3000))
    kind = ECN | (TCPV4 if base.version == 4 else TCPV6)
    pieces = finish(packet.pack_partial(), header(packet, 1000, kind=kind), 1500)
    assert [parse(piece) for piece in pieces] == segmented(packet, 1000)


@pytest.mark.parametrize("protocol", [TCP, UDP])
@BOTH
def test_checksum_is_completed(base: Packet, protocol: int) -> None:
    for size in (0, 1, 2, 1001, 20_000):
        packet = replace(base, protocol=protocol, payload=payload(size))
        assert finish(packet.pack_partial(), header(packet, 0), 1500) == [packet.pack()]


@BOTH
def test_checksum_of_zero_is_never_sent_with_a_datagram(base: Packet) -> None:
    for value in (0, 0xFFFF):
        packet = aimed(replace(base, protocol=UDP, payload=payload(10)), value)
        (piece,) = finish(packet.pack_partial(), header(packet, 0), 1500)
        (only,) = finish(packet.pack_partial(), header(packet, 10), 1500)
        assert piece == only
        assert piece[transport(packet) + 6 :][:2] == b"\xff\xff"


def test_checksum_of_any_protocol_is_completed() -> None:
    """Such as one inside of a tunnel: the kernel says where, and nothing else has to be understood."""
    inner = Packet(options=TIMESTAMPS, payload=payload(99))
    outer = replace(Packet(), protocol=UDP, payload=bytes(8) + inner.pack_partial())
    start = 28 + 8 + 20
    head = struct.pack("=BBHHHH", NEEDS_CSUM, 0, 0, 0, start, 16)
    (done,) = finish(outer.pack_partial(), head, 1500)
    assert done[36:] == inner.pack()


@pytest.mark.parametrize("start", [0, 20, 40, 0xFFFF])
@pytest.mark.parametrize("offset", [0, 39, 0xFFFF])
def test_checksum_outside_of_the_packet_is_left_alone(start: int, offset: int) -> None:
    packet = b"\x60" + bytes(39)
    head = struct.pack("=BBHHHH", NEEDS_CSUM, 0, 0, 0, start, offset)
    (done,) = finish(packet, head, 1500)
    assert len(done) == len(packet)
    assert start + offset + 2 <= 40 or done == packet


@pytest.mark.parametrize("kind", [TCPV4, UDP_L4, 3, 0x7F])
def test_nothing_is_made_of_what_contradicts_its_header(kind: int) -> None:
    cut_off = Packet(protocol=UDP, payload=b"x" * 9).pack()[:-1]
    for packet in (b"\x45", bytes(20), b"\x60" + bytes(39), cut_off):
        head = struct.pack("=BBHHHH", 0, kind, 0, 5, 0, 0)
        assert finish(packet, head, 1500) == [packet]


def test_header_of_another_size_is_an_error() -> None:
    with pytest.raises(struct.error):
        finish(bytes(20), bytes(SIZE - 1), 1500)
