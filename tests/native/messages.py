"""Netlink messages of an NFQUEUE, right ones and others."""

from __future__ import annotations

import struct
from typing import Final

from hypothesis import strategies as st

from alagg.ports.netlink import MSG_PACKET

PACKET_HDR, PAYLOAD, CAP_LEN, SKB_INFO = 1, 10, 13, 14
HEADERS: Final = 20
"""Bytes before the first attribute."""


def attribute(number: int, value: bytes) -> bytes:
    """Give an attribute, padded to a multiple of 4 bytes."""
    return struct.pack("=HH", 4 + len(value), number) + value + bytes(-len(value) % 4)


def packet_hdr(packet_id: int) -> bytes:
    """Give the attribute that every packet has."""
    return attribute(PACKET_HDR, struct.pack("!IHB", packet_id, 0x0800, 3))


def message(*attributes: bytes, kind: int = MSG_PACKET) -> bytes:
    """Give a message of attributes."""
    body = b"".join(attributes)
    return struct.pack("=IHHII", HEADERS + len(body), kind, 0, 0, 0) + b"\x02\x00\x00\x07" + body


_NUMBERS: Final = st.one_of(st.sampled_from([PACKET_HDR, PAYLOAD, CAP_LEN, SKB_INFO]), st.integers(0, 0x3FFF))
_FLAGS: Final = st.sampled_from([0, 0, 0, 0x4000, 0x8000, 0xC000])


@st.composite
def attributes(draw: st.DrawFn) -> bytes:
    """Give an attribute of any number, its length right or not."""
    number, value = draw(_NUMBERS) | draw(_FLAGS), draw(st.binary(max_size=40))
    whole = attribute(number, value)
    if draw(st.integers(0, 7)) == 0:
        whole = struct.pack("=H", draw(st.integers(0, 0xFFFF))) + whole[2:]
    return whole


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """Give a message whose parts may be wrong, missing, doubled or cut off."""
    kind = draw(st.sampled_from([MSG_PACKET] * 6 + [2, 3, 0x0302]))
    whole = message(*draw(st.lists(attributes(), max_size=6)), kind=kind)
    if draw(st.booleans()):
        whole = whole[: draw(st.integers(1, len(whole)))]
    return whole
