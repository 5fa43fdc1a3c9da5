"""The mark of congestion: set where it is understood, the checksum right."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.engine import octets
from alagg.engine.ecn import CONGESTED, codepoint, marked
from tests.engine.helpers import ipv4, ipv6


def with_codepoint(packet: bytes, value: int) -> bytes:
    shift = 4 if packet[0] >> 4 == 6 else 0
    return bytes([packet[0], packet[1] | value << shift]) + packet[2:]


@given(st.binary(min_size=20, max_size=20), st.sampled_from([1, 2]))
def test_the_checksum_of_a_marked_packet_is_right(header: bytes, value: int) -> None:
    packet = bytearray(b"\x45" + bytes([header[1] & 0xFC | value]) + header[2:10] + b"\0\0" + header[12:])
    packet[10:12] = (0xFFFF - octets.total(bytes(packet), 0, 20)).to_bytes(2, "big")
    found = marked(bytes(packet))
    assert found is not None
    assert octets.total(found, 0, 20) == 0
    assert codepoint(found) == CONGESTED
    assert found[:1] + found[2:10] + found[12:] == bytes(packet[:1] + packet[2:10] + packet[12:])


@pytest.mark.parametrize("value", [1, 2, 3])
def test_both_families(value: int) -> None:
    for packet in (ipv4(b"payload"), ipv6(b"payload")):
        found = marked(with_codepoint(packet, value))
        assert found is not None
        assert codepoint(found) == CONGESTED
        assert len(found) == len(packet)


@pytest.mark.parametrize("packet", [ipv4(b"x"), ipv6(b"x"), b"", b"\x45\x03", b"\x60\x30", bytes(40)])
def test_who_does_not_understand_it_gets_none(packet: bytes) -> None:
    assert marked(packet) is None
