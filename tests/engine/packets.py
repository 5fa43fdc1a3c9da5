"""Makes and reads IP packets for tests, slowly and by the letter of the RFCs: nothing of the engine is used."""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0x100
TCP, UDP = 6, 17
TIMESTAMPS = b"\x01\x01\x08\x0a\x00\x00\x00\x01\x00\x00\x00\x02"

EXTENSIONS = (0, b"\x01\x04" + bytes(4)), (43, bytes(6)), (60, b"\x1e\x0c" + bytes(12))
"""Hop-by-hop options with padding only, a used-up routing header, and a destination option to be skipped."""


def checksum(data: bytes) -> int:
    """Give the Internet checksum word by word, with end-around carry (RFC 1071, section 1)."""
    total = 0
    for (word,) in struct.iter_unpack("!H", data + bytes(len(data) % 2)):
        total += word
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


@dataclass(frozen=True)
class Packet:
    """An IP packet with TCP or UDP in it; `pack` adds lengths and checksums."""

    version: int = 4
    source: bytes = b"\x0a\x00\x00\x01"
    destination: bytes = b"\x0a\x00\x00\x02"
    tos: int = 0
    ttl: int = 64
    identification: int = 7
    fragment: int = 0x4000
    """The 16 bits of flags and fragment offset; DF is set."""
    ip_options: bytes = b""
    flow_label: int = 0
    extensions: tuple[tuple[int, bytes], ...] = ()
    """IPv6 extension headers: type, and all that follows the length."""
    final: bytes = b""
    """The destination that the checksum covers, where a routing header makes it another one."""
    protocol: int = TCP
    sport: int = 1000
    dport: int = 2000
    sequence: int = 1
    acknowledgement: int = 2
    flags: int = ACK
    window: int = 500
    urgent: int = 0
    options: bytes = b""
    payload: bytes = b""

    def pack(self) -> bytes:
        """Give the packet with all its checksums right."""
        return self._with_transport(self._transport(complete=True))

    def pack_partial(self) -> bytes:
        """Give the packet as the kernel does when the checksum is left to the device: the pseudo-header's sum."""
        return self._with_transport(self._transport(complete=False))

    def pseudo_header(self, length: int) -> bytes:
        addresses = self.source + (self.final or self.destination)
        if self.version == 4:
            return addresses + struct.pack("!BBH", 0, self.protocol, length)
        return addresses + struct.pack("!II", length, self.protocol)

    def _transport(self, *, complete: bool) -> bytes:
        if self.protocol == UDP:
            head = struct.pack("!HHHH", self.sport, self.dport, 8 + len(self.payload), 0)
            field = 6
        else:
            word = (20 + len(self.options)) // 4 << 12 | self.flags
            numbers = self.sport, self.dport, self.sequence, self.acknowledgement, word, self.window, 0, self.urgent
            head = struct.pack("!HHIIHHHH", *numbers) + self.options
            field = 16
        data = head + self.payload
        pseudo = self.pseudo_header(len(data))
        value = checksum(pseudo + data) if complete else checksum(pseudo) ^ 0xFFFF
        if self.protocol == UDP and value == 0:
            value = 0xFFFF
        return data[:field] + value.to_bytes(2, "big") + data[field + 2 :]

    def _with_transport(self, data: bytes) -> bytes:
        if self.version == 4:
            size = 20 + len(self.ip_options)
            head = struct.pack(
                "!BBHHHBBH4s4s", 0x40 | size // 4, self.tos, size + len(data), self.identification, self.fragment,
                self.ttl, self.protocol, 0, self.source, self.destination,
            ) + self.ip_options  # fmt: skip
            return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + data
        types = [kind for kind, _ in self.extensions] + [self.protocol]
        chain = b"".join(
            bytes([following, (len(body) + 2) // 8 - 1]) + body
            for following, (_, body) in zip(types[1:], self.extensions, strict=True)
        )
        first = 6 << 28 | self.tos << 20 | self.flow_label
        rest = struct.pack("!IHBB", first, len(chain) + len(data), types[0], self.ttl)
        return rest + self.source + self.destination + chain + data


def v6(packet: Packet | None = None, **changes: Any) -> Packet:
    """Give a packet as IPv6 between two addresses of our own."""
    network = b"\xfd" + bytes(14)
    addresses = {"source": network + b"\x01", "destination": network + b"\x02"}
    return replace(packet or Packet(), version=6, **{**addresses, **changes})


def parse(data: bytes) -> Packet:
    """Read a whole packet back, its lengths and checksums asserted; extension headers of a known form only."""
    return _parse4(data) if data[0] >> 4 == 4 else _parse6(data)


def _parse4(data: bytes) -> Packet:
    size = (data[0] & 15) * 4
    assert checksum(data[:size]) == 0, "IPv4 header checksum"
    assert int.from_bytes(data[2:4], "big") == len(data), "total length"
    packet = Packet(
        tos=data[1], ttl=data[8], identification=int.from_bytes(data[4:6], "big"),
        fragment=int.from_bytes(data[6:8], "big"), protocol=data[9], source=data[12:16], destination=data[16:20],
        ip_options=data[20:size],
    )  # fmt: skip
    return _parse_transport(packet, data[size:])


def _parse6(data: bytes) -> Packet:
    assert int.from_bytes(data[4:6], "big") == len(data) - 40, "payload length"
    first = int.from_bytes(data[:4], "big")
    protocol, at = data[6], 40
    extensions: list[tuple[int, bytes]] = []
    final = b""
    while protocol in (0, 43, 60):
        end = at + 8 + data[at + 1] * 8
        if protocol == 43 and data[at + 3]:
            final = data[at + 8 : at + 24]
        extensions.append((protocol, data[at + 2 : end]))
        protocol, at = data[at], end
    packet = Packet(
        version=6, tos=first >> 20 & 0xFF, flow_label=first & 0xFFFFF, ttl=data[7], source=data[8:24],
        destination=data[24:40], extensions=tuple(extensions), protocol=protocol, final=final,
        identification=7, fragment=0x4000,
    )  # fmt: skip
    return _parse_transport(packet, data[at:])


def _parse_transport(packet: Packet, data: bytes) -> Packet:
    assert checksum(packet.pseudo_header(len(data)) + data) == 0, "transport checksum"
    sport, dport = struct.unpack("!HH", data[:4])
    if packet.protocol == UDP:
        assert int.from_bytes(data[4:6], "big") == len(data), "UDP length"
        return replace(packet, sport=sport, dport=dport, payload=data[8:])
    sequence, acknowledgement, word, window, _, urgent = struct.unpack("!IIHHHH", data[4:20])
    start = (word >> 12) * 4
    return replace(
        packet, sport=sport, dport=dport, sequence=sequence, acknowledgement=acknowledgement, flags=word & 0xFFF,
        window=window, urgent=urgent, options=data[20:start], payload=data[start:],
    )  # fmt: skip


def segmented(packet: Packet, step: int) -> list[Packet]:
    """Say what the kernel makes of a super-packet: `step` bytes of payload at a time."""
    parts = []
    for index, start in enumerate(range(0, len(packet.payload), step)):
        flags = packet.flags
        if start + step < len(packet.payload):
            flags &= ~(PSH | FIN)
        if index and not packet.flags & AE:
            flags &= ~CWR
        part = replace(packet, payload=packet.payload[start : start + step], flags=flags)
        if packet.protocol == TCP:
            part = replace(part, sequence=(packet.sequence + start) % 2**32)
        if packet.version == 4:
            part = replace(part, identification=(packet.identification + index) % 2**16)
        parts.append(part)
    return parts


def with_length(data: bytes, length: int) -> bytes:
    """Give a packet whose IP header, its checksum included, says another length."""
    if data[0] >> 4 == 6:
        return data[:4] + (length - 40).to_bytes(2, "big") + data[6:]
    size = (data[0] & 15) * 4
    head = data[:2] + length.to_bytes(2, "big") + data[4:10] + bytes(2) + data[12:size]
    return head[:10] + checksum(head).to_bytes(2, "big") + head[12:] + data[size:]


def shortened(packet: Packet) -> list[bytes]:
    """Give every beginning of a packet that has a whole IP header, which says its length."""
    data = packet.pack()
    first = 20 + len(packet.ip_options) if packet.version == 4 else 40
    return [with_length(data[:size], size) for size in range(first, len(data))]


def aimed(packet: Packet, value: int) -> Packet:
    """Give the packet with the transport checksum `value`, by way of the payload's first two bytes."""
    bare = replace(packet, payload=bytes(2) + packet.payload[2:])
    field = 6 if packet.protocol == UDP else 16
    at = len(bare.pack()) - len(bare.payload) - (8 if packet.protocol == UDP else 20 + len(packet.options))
    now = int.from_bytes(bare.pack()[at + field : at + field + 2], "big")
    return replace(bare, payload=((now - value) % 65535).to_bytes(2, "big") + packet.payload[2:])


def routing_header(kind: int, left: int, addresses: bytes) -> tuple[int, bytes]:
    """Give a routing header (RFC 8200, section 4.4): 6 bytes of its own and addresses."""
    return 43, bytes([kind, left]) + bytes(4) + addresses


def payload(size: int, seed: int = 0) -> bytes:
    """Give bytes without a pattern, the same each time."""
    return random.Random(seed).randbytes(size)


@st.composite
def packets(draw: st.DrawFn, protocol: int = TCP, max_payload: int = 9000) -> Packet:
    """Give any packet that may be cut or merged, IPv4 and IPv6, with options and extension headers."""
    changes: dict[str, Any] = {
        "tos": draw(st.integers(0, 255)),
        "ttl": draw(st.integers(1, 255)),
        "protocol": protocol,
        "sport": draw(st.integers(0, 0xFFFF)),
        "dport": draw(st.integers(0, 0xFFFF)),
        "payload": payload(draw(st.integers(1, max_payload)), draw(st.integers(0, 255))),
    }
    if protocol == TCP:
        changes |= {
            "sequence": draw(st.one_of(st.integers(0, 0xFFFF_FFFF), st.integers(0xFFFF_D000, 0xFFFF_FFFF))),
            "acknowledgement": draw(st.integers(0, 0xFFFF_FFFF)),
            "flags": ACK | draw(st.sampled_from([0, PSH, FIN, PSH | FIN])) | draw(st.sampled_from([0, ECE, CWR, AE])),
            "window": draw(st.integers(0, 0xFFFF)),
            "urgent": draw(st.sampled_from([0, 0, 9])),
            "options": draw(st.sampled_from([b"", TIMESTAMPS, TIMESTAMPS + b"\x01\x01\x05\x0a" + bytes(range(8))])),
        }
    if draw(st.booleans()):
        extensions = tuple(draw(st.lists(st.sampled_from(EXTENSIONS), max_size=2, unique=True).map(sorted)))
        return v6(**changes, flow_label=draw(st.integers(0, 0xFFFFF)), extensions=extensions)
    return Packet(
        **changes,
        identification=draw(st.sampled_from([0, 1, 0xFFFE, 0xFFFF])),
        fragment=draw(st.sampled_from([0, 0x4000])),
        ip_options=draw(st.sampled_from([b"", b"\x94\x04\x00\x00"])),
    )
