"""Ethernet port: one link over an AF_PACKET raw socket (packet(7)).

The kernel passes on only frames of our EtherType, from the configured MAC address, to our own. No call ever
waits: what a full link does not take is the caller's to count.
"""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from typing import TYPE_CHECKING, Final

from alagg import form

if TYPE_CHECKING or form.edges() == "plain":
    from alagg.ports.packet import Receiver, Sender
else:
    from alagg.native.packet import Receiver, Sender

if TYPE_CHECKING:
    from collections.abc import Sequence

ETHERNET_HEADER: Final = 14
"""Bytes of the Ethernet header before the Alagg header."""
LARGEST_FRAME: Final = 65_535 + ETHERNET_HEADER
"""Bytes that one read takes: an interface's MTU may grow while the port is open, up to 65,535 (ETH_MAX_MTU)."""
RECEIVE_BUFFER: Final = 8 << 20
"""Bytes of the socket's receive buffer: it bridges the time in which the loop is busy elsewhere."""

_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_IGNORE_OUTGOING: Final = 23
_SO_ATTACH_FILTER: Final = 26
_SO_RCVBUFFORCE: Final = 33
_SIOCGIFMTU: Final = 0x8921
_SIOCGIFHWADDR: Final = 0x8927

# Classic BPF (linux/filter.h): opcode, jump if true, jump if false, operand.
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, _LOAD_LENGTH, _JUMP_EQUAL, _JUMP_MORE, _MODULO, _RETURN = (
    0x20, 0x28, 0x30, 0x80, 0x15, 0x25, 0x94, 0x06,
)  # fmt: skip
_LANE: Final = ETHERNET_HEADER + 16
"""Where the lane stands in a frame (docs/protocol.md)."""
_ANCILLARY = 0xFFFFF000  # SKF_AD_OFF: facts about the frame instead of its bytes
_PACKET_TYPE, _VLAN_TAG_PRESENT = _ANCILLARY + 4, _ANCILLARY + 48


class EthernetPort:
    """One link's way to the wire: a local interface and the peer's MAC address."""

    offset = ETHERNET_HEADER

    def __init__(self, interface: str, mac: bytes, ethertype: int, index: int = 0, count: int = 1) -> None:
        """Open the link.

        Args:
            interface: the local interface; a VLAN, bridge or bond device will do as well.
            mac: the peer's address, 6 bytes.
            ethertype: the frames' EtherType.
            index: of several ports that share the frames of one interface, this one's number, from 0.
            count: how many they are; this one takes the lanes of which the remainder by `count` is `index`.

        Raises:
            OSError: the interface is missing, or rights are. One that is down is told by the first `receive`.
        """
        self.interface = interface
        self.rx_dropped = 0
        """Frames that the kernel dropped because we were too slow; brought up to date by `counters`."""
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        try:
            self.mtu = _mtu(self._socket, interface)
            self._prefix = mac + _own_mac(self._socket, interface) + ethertype.to_bytes(2, "big")
            # Nothing is received before bind, so no frame slips past the filter.
            _attach_filter(self._socket, _filter(mac, ethertype, index, count))
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
            self._socket.bind((interface, ethertype))
        except BaseException:
            self._socket.close()
            raise
        self._sender = Sender(self._socket, self._prefix)
        self._receiver = Receiver(self._socket, LARGEST_FRAME)

    @property
    def prefix(self) -> bytes:
        """The Ethernet header of every frame sent, 14 bytes."""
        return self._prefix

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when frames wait."""
        return self._socket.fileno()

    def send(self, headers: Sequence[bytes], payloads: Sequence[bytes]) -> int:
        """Send frames without waiting; give how many the link took.

        Raises:
            OSError: the interface is down or gone (ENETDOWN, ENXIO), or its MTU has shrunk (EMSGSIZE). When the
                link took some frames before, the next call raises it.
        """
        return self._sender.send(headers, payloads)

    def receive(self) -> list[bytes]:
        """Give the frames that wait, at most `alagg.ports.base.BATCH`, Ethernet header included.

        Raises:
            OSError: the interface went down (ENETDOWN).
        """
        return self._receiver.receive()

    def counters(self) -> dict[str, int]:
        """Give what the kernel has counted for this socket."""
        statistics = self._socket.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self.rx_dropped += struct.unpack("=II", statistics)[1]  # the kernel starts anew at each call
        return {"rx_dropped": self.rx_dropped}

    def close(self) -> None:
        """Give the descriptor back. More calls do nothing."""
        self._socket.close()


def _mtu(sock: socket.socket, interface: str) -> int:
    answer = fcntl.ioctl(sock, _SIOCGIFMTU, struct.pack("16si20x", interface.encode(), 0))
    return int(struct.unpack_from("=i", answer, 16)[0])


def _own_mac(sock: socket.socket, interface: str) -> bytes:
    return fcntl.ioctl(sock, _SIOCGIFHWADDR, struct.pack("16s24x", interface.encode()))[18:24]


def _filter(mac: bytes, ethertype: int, index: int, count: int) -> bytes:
    """Give a program that keeps our EtherType, from `mac`, to our own address, without a VLAN tag, in our lanes.

    The kernel strips a VLAN device's tag before we look; a tag that is left belongs to another network.
    """
    lanes = _lane_filter(index, count) if count > 1 else b""
    checks = (
        (_LOAD_HALF, 12, ethertype),
        (_LOAD_WORD, 6, int.from_bytes(mac[:4], "big")),
        (_LOAD_HALF, 10, int.from_bytes(mac[4:], "big")),
        (_LOAD_WORD, _PACKET_TYPE, 0),  # PACKET_HOST
        (_LOAD_WORD, _VLAN_TAG_PRESENT, 0),
    )
    program = b""
    for number, (load, place, value) in enumerate(checks):
        to_drop = 2 * (len(checks) - number) - 1 + len(lanes) // 8
        program += struct.pack("=HBBI", load, 0, 0, place)
        program += struct.pack("=HBBI", _JUMP_EQUAL, 0, to_drop, value)
    return program + lanes + struct.pack("=HBBI", _RETURN, 0, 0, 0xFFFFFFFF) + struct.pack("=HBBI", _RETURN, 0, 0, 0)


def _lane_filter(index: int, count: int) -> bytes:
    """Give the part that drops the lanes of others; a frame too short for a lane goes to the first, who counts it."""
    short = 3 if index == 0 else 4  # to what follows: the frame is kept, or dropped
    return b"".join(
        struct.pack("=HBBI", *step)
        for step in (
            (_LOAD_LENGTH, 0, 0, 0),
            (_JUMP_MORE, 0, short, _LANE),
            (_LOAD_BYTE, 0, 0, _LANE),
            (_MODULO, 0, 0, count),
            (_JUMP_EQUAL, 0, 1, index),
        )
    )


def _attach_filter(sock: socket.socket, program: bytes) -> None:
    buffer = ctypes.create_string_buffer(program, len(program))
    sock.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program) // 8, ctypes.addressof(buffer))
    )
