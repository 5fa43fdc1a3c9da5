"""Segment limits: what a receiver or a router has said holds for what goes there, and for nothing else."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine.mss import MEMORY, SegmentLimits
from tests.engine.packets import ACK, EXTENSIONS, RST, SYN, TIMESTAMPS, UDP, Packet, packets, payload, v6

BOTH = pytest.mark.parametrize("base", [Packet(), v6()], ids=["IPv4", "IPv6"])
NOTHING = b""
SAFE, HEADERS = {4: 576, 6: 1280}, {4: 40, 6: 60}


def option(size: int) -> bytes:
    return struct.pack("!BBH", 2, 4, size)


def answer(packet: Packet) -> Packet:
    """Give a packet the other way of the same flow."""
    return replace(
        packet, source=packet.destination, destination=packet.source, sport=packet.dport, dport=packet.sport
    )


def announce(limits: SegmentLimits, packet: Packet, options: bytes, flags: int = SYN | ACK) -> None:
    """Let the receiver of a packet begin the connection."""
    limits.watch([replace(answer(packet), flags=flags, options=options, payload=b"").pack()])


@pytest.mark.parametrize("flags", [SYN, SYN | ACK])
@BOTH
def test_what_a_receiver_announces_holds_for_its_flow_only(base: Packet, flags: int) -> None:
    limits = SegmentLimits()
    announce(limits, base, option(1360), flags)
    headers, safe = HEADERS[base.version], SAFE[base.version]
    sent = replace(base, payload=payload(9000), options=TIMESTAMPS)
    assert limits.size(sent.pack_partial()) == 1360 + headers
    assert limits.size(replace(sent, dport=2001).pack()) == safe
    assert limits.size(replace(sent, sport=1001).pack()) == safe
    assert limits.size(answer(sent).pack()) == safe
    assert limits.size(replace(sent, destination=bytes(len(base.destination))).pack()) == safe


@BOTH
def test_a_new_connection_of_the_same_flow_announces_anew(base: Packet) -> None:
    limits = SegmentLimits()
    for size in (1360, 536, 8960):
        announce(limits, base, option(size))
        assert limits.size(base.pack()) == size + HEADERS[base.version]


@pytest.mark.parametrize(("options", "expected"), [
    (NOTHING, None),
    (TIMESTAMPS, None),
    (b"\x01\x01\x01\x01" + option(1300), 1300),
    (TIMESTAMPS + option(1300), 1300),
    (option(1300) + TIMESTAMPS, 1300),
    (b"\x00\x00\x00\x00" + option(1300), None),
    (b"\x08\x00" + bytes(2) + option(1300), None),
    (b"\x08\x01" + bytes(2) + option(1300), None),
    (b"\x08\x28" + bytes(2), None),
    (b"\x01\x01\x01\x02", None),
    (b"\x02\x03\x05\x01", None),
    (option(0), None),
    (option(1), 48),
    (option(48), 48),
    (option(0xFFFF), 0xFFFF),
])
@BOTH
def test_options_of_a_syn(base: Packet, options: bytes, expected: int | None) -> None:
    limits = SegmentLimits()
    announce(limits, base, options)
    headers = HEADERS[base.version]
    default = SAFE[base.version]
    assert limits.size(base.pack()) == (default if expected is None else min(expected + headers, 0xFFFF))


@BOTH
def test_other_packets_announce_nothing(base: Packet) -> None:
    limits = SegmentLimits()
    for flags in (ACK, RST, 0):
        announce(limits, base, option(1360), flags)
    syn = replace(answer(base), flags=SYN, options=option(1360))
    limits.watch([replace(syn, protocol=UDP).pack(), syn.pack()[:39], b"", b"\x45", b"\x60" * 40])
    if base.version == 4:
        limits.watch([replace(syn, fragment=0x2000).pack(), replace(syn, fragment=1).pack()])
    else:
        limits.watch([replace(syn, extensions=EXTENSIONS).pack()])
    assert limits.size(base.pack()) == SAFE[base.version]


# --- who began before the node did ------------------------------------------------------------------------------


@BOTH
def test_single_packets_show_what_may_be_sent(base: Packet) -> None:
    limits = SegmentLimits()
    headers, safe = HEADERS[base.version], SAFE[base.version]
    for size, expected in ((10, safe), (1000, max(1000 + headers, safe)), (1400, 1400 + headers),
                           (1300, 1400 + headers)):
        limits.note(replace(base, payload=payload(size)).pack_partial())
        assert limits.size(base.pack()) == expected
    announce(limits, base, option(1360))
    limits.note(replace(base, payload=payload(1400)).pack_partial())
    assert limits.size(base.pack()) == 1360 + headers


@given(packets(), st.integers(0, 80))
def test_whatever_is_captured_has_a_limit(packet: Packet, size: int) -> None:
    limits = SegmentLimits()
    data = packet.pack()
    for each in (data, data[:size], data[size:]):
        limits.note(each)
        assert limits.size(each) >= 576
    limits.watch([data, data[:size], data[size:]])


# --- routers on the way -----------------------------------------------------------------------------------------


def too_big(packet: Packet, mtu: int, code: int | None = None) -> bytes:
    """Give a router's report that it forwards no more than so many bytes."""
    quoted = packet.pack()[:80]
    if packet.version == 4:
        message = struct.pack("!BBHHH", 3, 4 if code is None else code, 0, 0, mtu) + quoted
        return replace(Packet(protocol=1), destination=packet.source).pack()[:20][:2] + _with(message, packet)
    message = struct.pack("!BBHI", 2 if code is None else code, 0, 0, mtu) + quoted
    head = struct.pack("!IHBB", 6 << 28, len(message), 58, 64)
    return head + b"\xfd" + bytes(15) + packet.source + message


def _with(message: bytes, packet: Packet) -> bytes:
    """Give the rest of an IPv4 header with the message behind it."""
    return struct.pack("!HHHBBH", 20 + len(message), 1, 0, 64, 1, 0) + b"\xac\x1f\x00\x02" + packet.source + message


@pytest.mark.parametrize(("mtu", "expected4", "expected6"), [
    (1400, 1400, 1400), (1500, 1460, 1460), (100, 552, 1280), (0, 552, 1280), (0xFFFF, 1460, 1460),
])  # fmt: skip
@BOTH
def test_path_is_not_asked_to_carry_more_than_it_can(base: Packet, mtu: int, expected4: int, expected6: int) -> None:
    limits = SegmentLimits()
    announce(limits, base, option(1460 - HEADERS[base.version]))
    limits.watch([too_big(base, mtu)])
    assert limits.size(base.pack()) == (expected4 if base.version == 4 else expected6)
    other = replace(base, sport=7, dport=8)
    announce(limits, other, option(1460 - HEADERS[base.version]))
    assert limits.size(other.pack()) == limits.size(base.pack()), "the path is the same"
    assert limits.size(answer(base).pack()) == SAFE[base.version]


@BOTH
def test_other_errors_narrow_nothing(base: Packet) -> None:
    limits = SegmentLimits()
    announce(limits, base, option(1400))
    good = too_big(base, 1300)
    limits.watch([too_big(base, 1300, code=1), good[:-100], good + b"x", good[: len(good) // 2]])
    assert limits.size(base.pack()) == 1400 + HEADERS[base.version]


# --- the table --------------------------------------------------------------------------------------------------


def test_workers_share_the_memory() -> None:
    memory = bytearray(MEMORY)
    announce(SegmentLimits(memory), Packet(), option(1234))
    assert SegmentLimits(memory).size(Packet().pack()) == 1274


def test_memory_is_bounded_and_a_flow_that_lost_its_place_is_cut_safely() -> None:
    memory = bytearray(MEMORY)
    limits = SegmentLimits(memory)
    flows = [Packet(sport=number % 60_000, dport=number // 60_000) for number in range(100_000)]
    for flow in flows:
        announce(limits, flow, option(1360))
    assert len(memory) == MEMORY
    found = [limits.size(flow.pack()) for flow in flows]
    assert set(found) == {576, 1400}
    assert found.count(1400) > 40_000
    assert found[-1] == 1400
