"""Hears, for a moment, whose frames come to an interface, to whom, and by which EtherType."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

from alagg.engine import header
from alagg.ports.ethernet import ETHERNET_HEADER, Instruction, attach_filter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

LISTENED: Final = 256
"""Frames of each kind that are looked at."""
NAMED: Final = 4
"""What is said at most."""
LARGEST: Final = 65_535
"""Bytes of a frame that are read, to see whether it is one of ours."""

_SOL_PACKET: Final = 263
_PACKET_IGNORE_OUTGOING: Final = 23
_PACKET_HOST: Final = 0
_ETH_P_ALL: Final = 0x0003
_USUAL: Final = (0x0800, 0x0806, 0x86DD, 0x8100, 0x88A8)
"""EtherTypes of what fills a network: IPv4, ARP, IPv6, VLANs."""


class Listener:
    """Packet sockets that keep what comes from now on; their own small buffers bound it."""

    def __init__(self, interface: str, ethertype: int) -> None:
        """Begin to listen.

        Raises:
            OSError: the interface is missing, or rights are.
        """
        self._ethertype = ethertype
        self._sockets: list[socket.socket] = []
        try:
            self._socket = self._open(interface, ethertype, [])
            self._others = self._open(interface, _ETH_P_ALL, _others(ethertype))
        except OSError:
            self.close()
            raise

    def heard(self, known: Collection[bytes]) -> tuple[str, ...]:
        """Say in words what has come that our links do not take; of a second call, what has come since.

        Args:
            known: the addresses of the peers over this interface.
        """
        found: dict[str, None] = {}
        for frame, kind in _frames(self._socket, 12):
            source, destination = frame[6:12], frame[:6]
            if source not in known:
                found[f"0x{self._ethertype:04x} comes here from {source.hex(':')}"] = None
            elif kind != _PACKET_HOST and not destination[0] & 1:
                found[f"0x{self._ethertype:04x} comes here for {destination.hex(':')}, which is not here"] = None
        for frame, _ in _frames(self._others, LARGEST):
            if _is_ours(frame):
                where = f"from {frame[6:12].hex(':')} by EtherType 0x{frame[12:14].hex()}"
                found[f"frames come here {where}: ethertype must be the same on both sides"] = None
        return tuple(found)[:NAMED]

    def close(self) -> None:
        """Give the descriptors back. More calls do nothing."""
        for one in self._sockets:
            one.close()

    def _open(self, interface: str, ethertype: int, program: list[Instruction]) -> socket.socket:
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        self._sockets.append(opened)
        opened.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        if program:
            attach_filter(opened, program)
        opened.bind((interface, ethertype))
        return opened


def _frames(sock: socket.socket, size: int) -> Iterator[tuple[bytes, int]]:
    """Give the beginnings of the frames that wait, and whom each is for (packet(7), sll_pkttype)."""
    for _ in range(LISTENED):
        try:
            frame, address = sock.recvfrom(size)
        except OSError:  # nothing more, or the interface is down
            return
        yield frame, address[2]


def _is_ours(frame: bytes) -> bool:
    try:
        header.decode(frame, ETHERNET_HEADER)
    except header.MalformedFrameError:
        return False
    return True


def _others(ethertype: int) -> list[Instruction]:
    """Give a filter that keeps what begins like a frame of ours behind another EtherType than ours and the usual."""
    load_half, load_byte, equal, ret = 0x28, 0x30, 0x15, 0x06
    unwanted = (ethertype, *_USUAL)
    last = len(unwanted)
    refused: list[Instruction] = [(equal, last - at + 2, 0, one) for at, one in enumerate(unwanted)]
    return [
        (load_half, 0, 0, 12), *refused, (load_byte, 0, 0, ETHERNET_HEADER), (0x54, 0, 0, 0xF0),
        (equal, 1, 0, header.VERSION << 4), (ret, 0, 0, 0), (ret, 0, 0, 0xFFFFFFFF),
    ]  # fmt: skip
