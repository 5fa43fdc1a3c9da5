"""Whatever a netlink message holds, both readers make the same of it, and count it once."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.native.forms import FORMS
from tests.native.messages import CAP_LEN, PAYLOAD, SKB_INFO, attribute, message, messages, packet_hdr

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.fuzz


@pytest.fixture(scope="module")
def readers() -> Iterator[list[Any]]:
    """Give a reader of each form that is there; what they count must stay equal for ever."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        found = []
        for form in FORMS.values():
            try:
                found.append(form("nfqueue").Reader(ours, 1))
            except pytest.skip.Exception:
                continue
        yield found


def check(readers: list[Any], data: bytes) -> None:
    for reader in readers:
        before = reader.captured, reader.dropped_oversize + reader.dropped_malformed
        packets, infos = reader.parse(data)
        captured = reader.captured - before[0]
        dropped = reader.dropped_oversize + reader.dropped_malformed - before[1]
        assert len(packets) == len(infos)
        assert all(packet and packet in data for packet in packets)
        assert captured == len(packets) + dropped or (captured == 0 and not packets and dropped <= 1)
    results = [(reader.parse(data), reader.captured, reader.last, reader.dropped_malformed) for reader in readers]
    assert all(result == results[0] for result in results)


@given(data=st.binary(max_size=3000))
@example(data=b"")
@example(data=message(packet_hdr(1), attribute(PAYLOAD, bytes(65_531))))
@example(data=message(packet_hdr(1), attribute(PAYLOAD, b""), attribute(PAYLOAD, b"second")))
@example(data=message(attribute(SKB_INFO, b"123"), attribute(CAP_LEN, b"")))
@example(data=message() + b"\x03\x00\x0a\x00")
@example(data=message() + b"\xff\xff\x0a\x00" + bytes(65_530))
@example(data=message() + b"\xff\xff\x0a\x00" + bytes(65_531))
def test_arbitrary_bytes(readers: list[Any], data: bytes) -> None:
    check(readers, data)


@given(data=st.binary(max_size=300))
def test_arbitrary_attributes(readers: list[Any], data: bytes) -> None:
    check(readers, message() + data)


@given(data=messages())
def test_messages_with_mistakes(readers: list[Any], data: bytes) -> None:
    check(readers, data)


@given(data=messages(), place=st.integers(0, 300), value=st.integers(0, 255))
def test_any_byte_changed(readers: list[Any], data: bytes, place: int, value: int) -> None:
    check(readers, data[:place] + bytes([value]) + data[place + 1 :])
