"""Channels: what goes out comes back, and nothing else is taken for it."""

from __future__ import annotations

import os
import select
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.lab import channel
from alagg.lab.channel import IcmpChannel, RawChannel, UdpChannel, open_channel


def test_a_protocol_is_chosen_by_name() -> None:
    chosen = open_channel("udp", "127.0.0.1", 9)
    assert isinstance(chosen, UdpChannel)
    chosen._socket.close()


@given(st.binary(max_size=99))
def test_a_message_with_its_checksum_sums_up_to_nothing(data: bytes) -> None:
    data += b"\0" * (len(data) % 2)
    assert channel._checksum(data + struct.pack(">H", channel._checksum(data))) == 0


def test_the_checksum_of_rfc_1071() -> None:
    assert channel._checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2


def test_only_ipv4_brings_its_header() -> None:
    assert channel.without_header(b"\x46" + bytes(23) + b"rest", "10.0.0.1") == b"rest"
    assert channel.without_header(b"rest", "fd00::1") == b"rest"


@pytest.mark.netns
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_icmp_takes_its_own_replies_only(address: str) -> None:
    tested, other = IcmpChannel(address), IcmpChannel(address)
    with tested._socket, other._socket:
        other._identifier = os.getpid() + 1 & 0xFFFF
        other.send(b"of another program")
        tested.send(b"ours")
        got = []
        while select.select([tested], (), (), 0.2)[0]:
            got.append(tested.receive())
    # The loopback interface shows requests as well as replies.
    assert len(got) >= 2
    assert [message for message in got if message is not None] == [b"ours"]


@pytest.mark.netns
def test_a_damaged_icmp_reply_is_not_taken() -> None:
    tested = IcmpChannel("127.0.0.1")
    reply = struct.pack(">BBHHH", 0, 0, 0x1234, tested._identifier, 1) + b"damaged"
    with tested._socket:
        tested._socket.sendto(reply, ("127.0.0.1", 0))
        assert select.select([tested], (), (), 5)[0]
        assert tested.receive() is None


@pytest.mark.netns
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_another_protocol_tells_requests_from_echoes(address: str) -> None:
    tested = open_channel("253", address, 0)
    assert isinstance(tested, RawChannel)
    got: list[bytes | None] = []
    with tested._socket:
        tested.send(b"request")
        tested._socket.sendto(b"!echo", (address, 0))
        while len(got) < 2 and select.select([tested], (), (), 5)[0]:
            got.append(tested.receive())
    assert got == [None, b"echo"]


def test_an_unknown_protocol_is_refused() -> None:
    with pytest.raises(ValueError, match="sctp"):
        open_channel("sctp", "127.0.0.1", 0)


def test_sockets_are_of_the_address_family() -> None:
    for address, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        with channel.open_socket(address, socket.SOCK_DGRAM) as opened:
            assert opened.family == family
