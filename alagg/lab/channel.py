"""Messages to one remote address and their echoes, whatever the protocol: UDP, ICMP, or another one on IP."""

from __future__ import annotations

import os
import socket
import struct
from typing import Final, Protocol

LARGEST: Final = 65_536
"""Bytes that hold every IP packet."""


class Channel(Protocol):
    """Sends messages to a remote address and receives its echoes."""

    overhead: int
    """Bytes that the channel itself puts before a message."""

    def fileno(self) -> int:
        """Give the descriptor to poll."""

    def send(self, message: bytes) -> None:
        """Send a message."""

    def receive(self) -> bytes | None:
        """Take one echo; None if what arrived was something else."""


class UdpChannel:
    """UDP; not connected, since that would need a route already at the start."""

    overhead = 0

    def __init__(self, address: str, port: int) -> None:
        self._socket = open_socket(address, socket.SOCK_DGRAM)
        self._target = (address, port)
        self.fileno = self._socket.fileno

    def send(self, message: bytes) -> None:
        self._socket.sendto(message, self._target)

    def receive(self) -> bytes | None:
        return self._socket.recv(LARGEST)


class IcmpChannel:
    """ICMP or ICMPv6 echo; the remote kernel answers."""

    overhead = 8

    def __init__(self, address: str) -> None:
        self._address = address
        self._six = ":" in address
        protocol = socket.IPPROTO_ICMPV6 if self._six else socket.IPPROTO_ICMP
        self._socket = open_socket(address, socket.SOCK_RAW, protocol)
        self._request, self._reply = (128, 129) if self._six else (8, 0)
        self._identifier = os.getpid() & 0xFFFF
        self._number = 0
        self.fileno = self._socket.fileno

    def send(self, message: bytes) -> None:
        self._number = self._number + 1 & 0xFFFF
        header = struct.pack(">BBHHH", self._request, 0, 0, self._identifier, self._number)
        # For ICMPv6 the kernel fills the checksum in.
        checksum = 0 if self._six else _checksum(header + message)
        packet = header[:2] + struct.pack(">H", checksum) + header[4:] + message
        self._socket.sendto(packet, (self._address, 0))

    def receive(self) -> bytes | None:
        packet = without_header(self._socket.recv(LARGEST), self._address)
        if len(packet) < 8 or packet[0] != self._reply or packet[4:6] != struct.pack(">H", self._identifier):
            return None
        # IPv4 gives raw sockets ICMP before it verified the checksum.
        return packet[8:] if self._six or not _checksum(packet) else None


class RawChannel:
    """Another IP protocol, straight on IP; a byte before the message tells requests from echoes."""

    overhead = 1

    def __init__(self, address: str, protocol: int) -> None:
        self._address = address
        self._socket = open_socket(address, socket.SOCK_RAW, protocol)
        self.fileno = self._socket.fileno

    def send(self, message: bytes) -> None:
        self._socket.sendto(b"?" + message, (self._address, 0))

    def receive(self) -> bytes | None:
        packet = without_header(self._socket.recv(LARGEST), self._address)
        return packet[1:] if packet[:1] == b"!" else None


def open_channel(protocol: str, address: str, port: int) -> Channel:
    """Open a channel by its protocol: udp, icmp, or the number of an IP protocol."""
    if protocol == "udp":
        return UdpChannel(address, port)
    if protocol == "icmp":
        return IcmpChannel(address)
    return RawChannel(address, int(protocol))


def open_socket(address: str, kind: socket.SocketKind, protocol: int = 0) -> socket.socket:
    opened = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind, protocol)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
    return opened


def without_header(packet: bytes, address: str) -> bytes:
    """Take off the IP header, which raw sockets give for IPv4 and not for IPv6."""
    return packet if ":" in address else packet[(packet[0] & 0x0F) * 4 :]


def _checksum(data: bytes) -> int:
    """RFC 1071."""
    data += b"\0" * (len(data) & 1)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
