# cython: annotation_typing=False, boundscheck=False, wraparound=False, cdivision=True
"""Merge consecutive TCP segments of a batch into super-packets for a TUN device.

A TUN device with IFF_VNET_HDR takes a super-packet in one write: a `virtio_net_hdr` (linux/virtio_net.h, 10 bytes in
the host's byte order), headers whose lengths are the super-packet's and whose checksum is only the pseudo-header's
sum, and all payloads one after the other. So each `Item` is a write in the making, `(vnet_header, head, packets,
offset)`: write `vnet_header`, then `head`, then `packet[offset:]` of each of `packets`. No payload was copied, and
a packet that stays alone is an item whose `head` is the packet itself, without `packets`.

Datagrams stay as they are. One that was merged reaches whoever listens to a raw socket (tracers, relays, DHCP) as a
single one, its checksum unfinished, and only the kernel's own sockets have it taken apart again.

What merges is what the kernel's own GRO merges (`tcp_gro_receive`, `inet_gro_flush`):

- One flow, in order: consecutive sequence numbers; acknowledgement, window, options and the other flags equal.
- Equal TTL, TOS, DF and flow label; IPv4 identifications that count up by one or, with DF, all the same.
- Equal sizes, but the last may be shorter. It ends the super-packet; so do PSH and FIN, which only the last may have.
- IP and TCP checksums are right. A damaged packet is passed on as it came: its receiver shall see the damage.
- Never: SYN, RST, URG, CWR, no payload; fragments, IPv4 options, IPv6 extension headers.

Packets of one flow stay in order. Those of different flows stay, too, except that what joins a super-packet moves
up to its first.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from alagg.engine import octets

if TYPE_CHECKING:
    from collections.abc import Sequence

Item = tuple[bytes, bytes, "list[bytes]", int]
"""One packet or super-packet to write: vnet header, head, packets, and where in each of them the payload begins."""

ALONE: Final = bytes(10)
"""The vnet header of a packet that was not merged: nothing is left to do for the kernel."""
MAX_LENGTH: Final = 65_535
"""Bytes of the largest super-packet, IP header included."""
MAX_SEGMENTS: Final = 64
"""Most packets in a super-packet; a write with more pieces could be refused."""

_LENGTH: Final = MAX_LENGTH
_SEGMENTS: Final = MAX_SEGMENTS
_VNET: Final = struct.Struct("=BBHHHH")
_NEEDS_CSUM: Final = 1
_GSO_TCPV4: Final = 1
_GSO_TCPV6: Final = 4
_TCP: Final = 6
_PSH_FIN: Final = 0x09
_ACK: Final = 0x10
_DECIDING: Final = 0xB6
"""CWR, URG, ACK, RST and SYN: of these, a segment that may be merged has ACK alone."""
_DF: Final = 0x40


class Merger:
    """Merges the packets of one batch at a time; nothing is held back for the next."""

    def __init__(self) -> None:
        """Start with nothing counted."""
        self.merged = 0
        """Packets that went into super-packets."""
        self.super_packets = 0
        """Super-packets made."""
        self._items: list[Item] = []
        self._open: dict[bytes, _Train] = {}
        self._last: _Train | None = None
        """The open train that the last packet met."""
        self._joined: list[_Train] = []

    def merge(self, packets: Sequence[bytes]) -> list[Item]:
        """Give the packets, whole IP packets, as items to write; the work for each is bounded."""
        items = self._items = []
        for packet in packets:
            self._take(packet)
        for train in self._joined:
            items[train.index] = train.item()
            self.merged += len(train.packets)
        self.super_packets += len(self._joined)
        self._open.clear()
        self._last = None
        self._joined.clear()
        self._items = []
        return items

    def _take(self, packet: bytes) -> None:
        """Let a packet join its flow's open train, or stand alone and perhaps open one."""
        p = packet
        length = len(packet)
        at = _transport(p, length)
        if at < 0:
            # It may belong to any flow, and must not be overtaken.
            self._open.clear()
            self._last = None
        if at <= 0:
            self._items.append((ALONE, packet, [], 0))
            return
        start = _payload(p, at, length)
        if start and not _intact(p, at, length):
            start = 0
        train = self._train_of(packet, at)
        if train is not None:
            if start and train.fits(packet):
                if len(train.packets) == 1:
                    self._joined.append(train)
                if train.join(packet):
                    self._close(train)
                return
            self._close(train)
        if start and p[at + 13] & _PSH_FIN == 0:
            self._last = train = _Train(packet, at, start, len(self._items))
            self._open[train.flow] = train
        self._items.append((ALONE, packet, [], 0))

    def _train_of(self, packet: bytes, at: int) -> _Train | None:
        """Find the open train of a packet's flow; mostly it is the last one's."""
        train = self._last
        if train is None or not train.carries(packet, at):
            train = self._last = self._open.get(_flow(packet, at))
        return train

    def _close(self, train: _Train) -> None:
        del self._open[train.flow]
        self._last = None


class _Train:
    """Packets of one flow that follow each other; the first one's header stands for all."""

    def __init__(self, packet: bytes, at: int, start: int, index: int) -> None:
        self.index = index
        self.flow = _flow(packet, at)
        self.packets = [packet]
        self._at = at
        self._start = start
        self._step = len(packet) - start
        self._length = len(packet)
        self._fixed_id = False
        self._last_flags = 0

    def carries(self, packet: bytes, at: int) -> bool:
        """Tell whether a packet is of the train's flow: addresses and ports are the same."""
        first = self.packets[0]
        return at == self._at and octets.same(packet, first, 12 if at == 20 else 8, at + 4)

    def fits(self, packet: bytes) -> bool:
        """Tell whether a packet of the flow is the next one: it can join, and nothing is lost by that."""
        p = packet
        first = self.packets[0]
        f = first
        at = self._at
        size = len(packet) - self._start
        if size > self._step or self._length + size > _LENGTH:
            return False
        if at == 20:
            # TOS; flags, TTL and protocol. The addresses and ports make the flow.
            alike = p[1] == f[1] and octets.same(p, f, 6, 10) and self._counts_up(octets.load16(p, 4))
        else:
            alike = octets.same(p, f, 0, 4) and octets.same(p, f, 6, 8)
        if not alike:
            return False
        sequence = octets.load32(f, at + 4) + self._length - self._start & 0xFFFF_FFFF
        return (
            octets.load32(p, at + 4) == sequence
            # Acknowledgement and data offset; flags but the last segment's; window; urgent pointer and options.
            and octets.same(p, f, at + 8, at + 13)
            and (p[at + 13] | _PSH_FIN) == (f[at + 13] | _PSH_FIN)
            and octets.same(p, f, at + 14, at + 16)
            and octets.same(p, f, at + 18, self._start)
        )

    def _counts_up(self, identification: int) -> bool:
        f = self.packets[0]
        count = len(self.packets)
        ahead = identification - octets.load16(f, 4) & 0xFFFF
        if count == 1 and ahead == 0 and f[6] & _DF:
            self._fixed_id = True
        return ahead == (0 if self._fixed_id else count)

    def join(self, packet: bytes) -> bool:
        """Take a packet that fits; tell whether it is the last."""
        p = packet
        size = len(packet) - self._start
        self.packets.append(packet)
        self._length += size
        self._last_flags = p[self._at + 13] & _PSH_FIN
        return size < self._step or self._last_flags != 0 or len(self.packets) == _SEGMENTS

    def item(self) -> Item:
        """Give the super-packet."""
        first = self.packets[0]
        f = first
        at = self._at
        length = self._length
        head = bytearray(f[: self._start])
        w = head
        if at == 20:
            octets.store16(w, 2, length)
            octets.store16(w, 10, 0)
            octets.store16(w, 10, 0xFFFF - (octets.total(w, 0, 20) or 65535))
        else:
            octets.store16(w, 4, length - 40)
        pseudo = octets.total(w, 12 if at == 20 else 8, at) + length - at
        w[at + 13] |= self._last_flags
        octets.store16(w, at + 16, (pseudo + _TCP) % 65535)
        kind = _GSO_TCPV4 if at == 20 else _GSO_TCPV6
        vnet = _VNET.pack(_NEEDS_CSUM, kind, self._start, self._step, at, 16)
        return vnet, bytes(head), self.packets, self._start


def _flow(packet: bytes, at: int) -> bytes:
    """Give a packet's addresses and ports."""
    return octets.part(packet, 12 if at == 20 else 8, at + 4)


def _transport(p: bytes, length: int) -> int:
    """Find the TCP header of a packet that has both ports and nothing unusual before them.

    Returns:
        20 (IPv4) or 40 (IPv6); 0 for another protocol; -1 for what may be a part of any TCP flow.
    """
    if length >= 28 and p[0] == 0x45:
        if p[9] != _TCP:
            return 0
        whole = octets.load16(p, 2) == length and octets.load16(p, 6) & 0x3FFF == 0
        return 20 if whole else -1
    if length >= 48 and p[0] >> 4 == 6:
        if p[6] == _TCP:
            return 40 if octets.load16(p, 4) == length - 40 else -1
        # Hop-by-hop options, routing, fragment, destination options.
        return -1 if p[6] in (0, 43, 44, 60) else 0
    return -1


def _payload(p: bytes, at: int, length: int) -> int:
    """Give the offset of the payload of a packet that may be merged by its own header; 0 for others."""
    if length <= at + 20 or p[at + 13] & _DECIDING != _ACK:
        return 0
    start = at + (p[at + 12] >> 4) * 4
    return start if at + 20 <= start < length else 0


def _intact(p: bytes, at: int, length: int) -> bool:
    """Verify the checksums of IPv4 header and TCP; the addresses stand right before the latter."""
    if at == 20:
        words = octets.total(p, 12, length) + p[9] + length - 20
        return words % 65535 == 0 and octets.total(p, 0, 20) == 0
    return (octets.total(p, 8, length) + p[6] + length - 40) % 65535 == 0
