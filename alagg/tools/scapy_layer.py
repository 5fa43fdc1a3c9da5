"""The Alagg frame as a scapy layer, to build and dissect frames; an import binds EtherType 0x88b5 and UDP port 7311.

scapy is an optional extra (`pip install scapy`) under GPL-2.0; the node never imports this module.

    >>> from scapy.layers.inet import IP, UDP
    >>> from scapy.layers.l2 import Ether
    >>> from alagg.tools.scapy_layer import Alagg
    >>> frame = Ether(dst="52:54:00:12:34:56") / Alagg(epoch=7, sequence=1) / IP(dst="10.99.0.2") / UDP() / b"hello"
    >>> Ether(bytes(frame))[Alagg].malformed()
    ''

For another EtherType: `bind_layers(Ether, Alagg, type=0x88b6)`.
"""

from __future__ import annotations

from typing import Final

from google_crc32c import value as crc32c
from scapy.fields import (
    BitEnumField,
    BitField,
    ByteField,
    IntField,
    ShortField,
    XIntField,
    XStrFixedLenField,
)
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Ether
from scapy.packet import Packet, bind_layers

from alagg.engine.header import (
    CONTROL,
    COOKIE_SIZE,
    DATA,
    PROBE,
    PROBE_REPLY,
    SIZE,
    VERSION,
    MalformedFrameError,
    decode,
)

ETHERTYPE: Final = 0x88B5
UDP_PORT: Final = 7311
"""The port that the examples of UDP links have."""
"""Local Experimental EtherType 1 (IEEE 802), the default of the node's configuration."""


class Cookie(Packet):
    """The payload of a probe and of its answer."""

    name = "Alagg cookie"
    fields_desc = [XStrFixedLenField("cookie", bytes(COOKIE_SIZE), COOKIE_SIZE)]  # noqa: RUF012 - scapy's interface


class Alagg(Packet):
    """The Alagg header; payload length and checksum are computed when they are left out."""

    name = "Alagg"
    fields_desc = [  # noqa: RUF012 - scapy's interface
        BitField("version", VERSION, 4),
        BitEnumField("type", DATA, 4, {DATA: "data", PROBE: "probe", PROBE_REPLY: "probe_reply", CONTROL: "control"}),
        BitField("flags", 0, 4),
        BitField("key", 0, 4),
        ShortField("payload_length", None),
        XIntField("epoch", 0),
        IntField("sequence", 0),
        BitField("class_", 0, 4),
        BitField("lane", 0, 4),
        ByteField("piece", 0),
        ByteField("last_piece", 0),
        ByteField("link_id", 0),
        IntField("link_sequence", 0),
        XIntField("checksum", None),
    ]

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill payload length and checksum in."""
        if self.payload_length is None:
            pkt = pkt[:2] + len(pay).to_bytes(2, "big") + pkt[4:]
        if self.checksum is None:
            pkt = pkt[: SIZE - 4] + crc32c(pay + pkt[: SIZE - 4]).to_bytes(4, "big")
        return pkt + pay

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        """Part the payload from the link's padding."""
        return s[: self.payload_length], s[self.payload_length :]

    def guess_payload_class(self, payload: bytes) -> type[Packet]:
        """Find out how the payload reads on: IP in an unsplit packet, a cookie in probes, else nothing."""
        known: type[Packet] | None = None
        if self.version != VERSION or self.flags or self.key or self.class_:
            pass
        elif self.type == DATA and not self.last_piece:
            known = {4: IP, 6: IPv6}.get(payload[0] >> 4)
        elif self.type in (PROBE, PROBE_REPLY) and len(payload) >= COOKIE_SIZE:
            known = Cookie
        return known or self.default_payload_class(payload)

    def malformed(self) -> str:
        """Give the reason for which a node would drop the frame; empty when it is well-formed."""
        try:
            decode(self.original or bytes(self))
        except MalformedFrameError as error:
            return error.reason
        return ""

    def mysummary(self) -> str:
        """Say what the frame is, in a line."""
        piece = f" piece {self.piece + 1}/{self.last_piece + 1}" if self.last_piece else ""
        name = self.sprintf("Alagg %type% %sequence%")
        return f"{name}{piece} on link {self.link_id} {self.malformed()}".rstrip()


bind_layers(Ether, Alagg, type=ETHERTYPE)
bind_layers(CookedLinux, Alagg, proto=ETHERTYPE)
bind_layers(CookedLinuxV2, Alagg, proto=ETHERTYPE)
bind_layers(UDP, Alagg, dport=UDP_PORT)
bind_layers(UDP, Alagg, sport=UDP_PORT)
