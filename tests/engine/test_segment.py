"""Cutting: the segments are what the kernel's own segmentation would send, and say the same bytes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.segment import complete, cut
from tests.engine.packets import (
    ACK,
    AE,
    CWR,
    ECE,
    EXTENSIONS,
    RST,
    SYN,
    TCP,
    TIMESTAMPS,
    UDP,
    URG,
    Packet,
    aimed,
    packets,
    parse,
    payload,
    routing_header,
    segmented,
    shortened,
    v6,
    with_length,
)

BOTH = pytest.mark.parametrize("base", [Packet(), v6()], ids=["IPv4", "IPv6"])


def segments(packet: Packet, size: int) -> list[Packet]:
    """Cut a packet with an open checksum and read the result, whose lengths and checksums are asserted."""
    return [parse(segment) for segment in cut(packet.pack_partial(), size)]


def headers(packet: Packet) -> int:
    return len(packet.pack()) - len(packet.payload)


@given(packets(), st.integers(1, 3000))
def test_every_field_of_every_segment(packet: Packet, step: int) -> None:
    assert segments(packet, headers(packet) + step) == segmented(packet, step)


@BOTH
def test_largest_packet_of_all(base: Packet) -> None:
    packet = replace(base, payload=payload(65_535 - 20 - headers(base) + 20), options=b"")
    cuts = cut(packet.pack_partial(), 1476)
    assert max(map(len, cuts)) == 1476
    assert b"".join(parse(segment).payload for segment in cuts) == packet.payload


@BOTH
def test_one_byte_at_a_time(base: Packet) -> None:
    packet = replace(base, payload=payload(70), options=TIMESTAMPS)
    assert segments(packet, headers(packet) + 1) == segmented(packet, 1)


@BOTH
def test_classic_and_accurate_ecn(base: Packet) -> None:
    classic = replace(base, flags=ACK | ECE | CWR, payload=payload(30))
    assert [part.flags for part in segments(classic, headers(base) + 10)] == [ACK | ECE | CWR, ACK | ECE, ACK | ECE]
    accurate = replace(base, flags=ACK | AE | CWR, payload=payload(30))
    assert [part.flags for part in segments(accurate, headers(base) + 10)] == [ACK | AE | CWR] * 3


@pytest.mark.parametrize("flags", [SYN, SYN | ACK, RST | ACK, ACK | URG])
@BOTH
def test_what_cannot_be_cut_is_completed(base: Packet, flags: int) -> None:
    packet = replace(base, flags=flags, payload=payload(3000))
    assert cut(packet.pack_partial(), 1500) == [packet.pack()]


@BOTH
def test_headers_that_leave_no_room(base: Packet) -> None:
    packet = replace(base, payload=payload(100))
    for size in (0, 20, headers(base)):
        assert cut(packet.pack_partial(), size) == [packet.pack()]


@BOTH
def test_packet_that_fits_is_completed(base: Packet) -> None:
    for size in (0, 1, 2, 1459, 1460):
        packet = replace(base, payload=payload(size))
        assert cut(packet.pack_partial(), headers(base) + 1460) == [packet.pack()]


@BOTH
def test_right_checksum_stays(base: Packet) -> None:
    packet = replace(base, payload=payload(3000))
    assert cut(packet.pack(), 1000) == cut(packet.pack_partial(), 1000)
    assert complete(packet.pack()) == packet.pack()


@pytest.mark.parametrize("kind", [2, 4])
def test_routing_header_names_the_destination_of_the_checksum(kind: int) -> None:
    packet = routed(kind)
    assert segments(packet, 1000) == segmented(packet, 1000 - headers(packet))


@pytest.mark.parametrize("kind", [0, 3, 253])
def test_routing_header_of_another_type_is_left_alone(kind: int) -> None:
    packet = routed(kind).pack_partial()
    assert cut(packet, 1000) == [packet]
    assert complete(packet) == packet


def routed(kind: int) -> Packet:
    final = bytes(range(16))
    return v6(extensions=(routing_header(kind, 1, final + bytes(16)),), final=final, payload=payload(2000))


def test_routing_header_without_segments_left() -> None:
    packet = v6(extensions=(routing_header(4, 0, bytes(range(16))),), payload=payload(2000))
    assert segments(packet, 1000) == segmented(packet, 1000 - headers(packet))


def broken() -> dict[str, bytes]:
    """Give packets that must not be touched, each by its reason."""
    four = Packet(payload=payload(300)).pack_partial()
    six = v6(payload=payload(300)).pack_partial()
    return {
        "empty": b"",
        "one byte": b"\x45",
        "version 5": b"\x55" + four[1:],
        "short header length": b"\x44" + four[1:],
        "IPv4 header longer than the packet": (b"\x4f\x00\x00\x28" + four[4:40]),
        "IPv4 total length": four[:-1],
        "IPv4 trailing byte": four + b"\x00",
        "IPv6 payload length": six[:-1],
        "IPv6 trailing byte": six + b"\x00",
        "more fragments": Packet(payload=payload(300), fragment=0x2000).pack(),
        "last fragment": Packet(payload=payload(300), fragment=0x0010).pack(),
        "IPv6 fragment": v6(payload=payload(300), extensions=((44, bytes(6)),)).pack(),
        "IPv6 authentication header": v6(payload=payload(300), extensions=((51, bytes(14)),)).pack(),
        "other protocol": Packet(payload=payload(300), protocol=47).pack(),
        "TCP header cut": b"\x45\x00\x00\x27" + four[4:39],
        "IPv6 TCP header cut": six[:4] + b"\x00\x13" + six[6:59],
        "IPv6 extension beyond the end": six[:4] + b"\x00\x08\x00\x40" + six[8:40] + b"\x06\x01" + bytes(6),
        "IPv6 extension cut": six[:4] + b"\x00\x07\x00\x40" + six[8:40] + b"\x06\x00" + bytes(5),
        "UDP header cut": with_length(Packet(protocol=UDP).pack()[:24] + b"\x00\x06", 26),
        "IPv6 routing header without an address": v6(protocol=UDP, extensions=(routing_header(2, 1, b""),)).pack(),
        "IPv6 routing header too short": v6(payload=payload(3), extensions=(routing_header(2, 1, b""),)).pack()[:48],
    }


@pytest.mark.parametrize("reason", broken())
def test_what_is_not_understood_is_left_alone(reason: str) -> None:
    packet = broken()[reason]
    assert cut(packet, 100) == [packet]
    assert complete(packet) == packet


@pytest.mark.parametrize("offset", [0x00, 0x40, 0xF0])
def test_tcp_header_of_an_impossible_length_is_left_alone(offset: int) -> None:
    packet = Packet(payload=payload(20)).pack_partial()
    packet = packet[:32] + bytes([offset]) + packet[33:]
    assert cut(packet, 50) == [packet]


def test_udp_is_never_cut() -> None:
    packet = Packet(protocol=UDP, payload=payload(3000)).pack_partial()
    assert cut(packet, 1000) == [packet]


@given(packets(UDP, 2000))
def test_udp_is_completed(packet: Packet) -> None:
    assert complete(packet.pack_partial()) == packet.pack()
    assert complete(packet.pack()) == packet.pack()


@given(packets(max_payload=2000))
def test_tcp_is_completed(packet: Packet) -> None:
    assert complete(packet.pack_partial()) == packet.pack()
    assert complete(packet.pack()) == packet.pack()


@BOTH
def test_udp_checksum_of_zero_is_sent_as_ones(base: Packet) -> None:
    packet = aimed(replace(base, protocol=UDP, payload=payload(9)), 0)
    assert packet.pack()[-11:-9] == b"\xff\xff"
    assert complete(packet.pack_partial()) == packet.pack()


@BOTH
def test_tcp_checksum_of_zero_stays_zero(base: Packet) -> None:
    packet = aimed(replace(base, payload=payload(9)), 0)
    assert packet.pack()[-13:-11] == bytes(2)
    assert complete(packet.pack_partial()) == packet.pack()
    longer = replace(packet, payload=packet.payload + payload(9))
    assert cut(longer.pack_partial(), headers(packet) + 9) == [part.pack() for part in segmented(longer, 9)]
    assert segmented(longer, 9)[0] == packet


def test_ip_header_checksum_of_zero_stays_zero() -> None:
    packet = Packet(payload=payload(20), identification=0)
    part = segmented(packet, 10)[0].pack()
    packet = replace(packet, identification=int.from_bytes(part[10:12], "big"))
    first, _ = cut(packet.pack_partial(), 50)
    assert first[10:12] == bytes(2)
    assert first == segmented(packet, 10)[0].pack()


@pytest.mark.parametrize("kind", [TCP, UDP])
@pytest.mark.parametrize(
    "base",
    [
        Packet(ip_options=bytes(8)),
        Packet(),
        v6(),
        v6(extensions=(EXTENSIONS[0], routing_header(4, 1, bytes(32)))),
        v6(extensions=(EXTENSIONS[2],)),
    ],
)
def test_packet_that_ends_within_its_headers_is_left_alone(base: Packet, kind: int) -> None:
    for short in shortened(replace(base, protocol=kind, options=TIMESTAMPS, payload=b"")):
        assert cut(short, 0) == [short]
        bare = len(short) < headers(replace(base, protocol=kind))
        assert (complete(short) == short) is bare or kind == UDP


def test_udp_without_a_checksum_stays_without() -> None:
    packet = Packet(protocol=UDP, payload=b"abc").pack()
    bare = packet[:26] + b"\x00\x00" + packet[28:]
    assert complete(bare) == bare


def test_udp_of_a_wrong_length_is_left_alone() -> None:
    packet = Packet(protocol=UDP, payload=b"abc").pack_partial()
    wrong = packet[:24] + b"\x00\x0a" + packet[26:]
    assert complete(wrong) == wrong
