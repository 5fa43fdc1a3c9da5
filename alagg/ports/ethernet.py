"""Ethernet port: the links over one interface, through AF_PACKET raw sockets (packet(7)).

One socket receives, another sends. The kernel passes on only frames of our EtherType, from the configured MAC
addresses, to our own, in the lanes of this worker; where a peer's address is to be found, from all addresses, and
what is broadcast, too. No call ever waits: what a full link does not take is the caller's to count.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import logging
import os
import socket
import struct
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from alagg import form
from alagg.engine.header import SIZE

if TYPE_CHECKING or form.edges() == "plain":
    from alagg.ports.packet import FrameReceiver, FrameSender
else:
    from alagg.native.packet import FrameReceiver, FrameSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from alagg.native.xdp import XdpSender
    from alagg.ports.base import Arrival

ETHERNET_HEADER: Final = 14
"""Bytes of the Ethernet header before the Alagg header."""
LARGEST_PAYLOAD: Final = 65_535 - SIZE
"""Bytes that one read takes: an interface's MTU may grow while the port is open, up to 65,535 (ETH_MAX_MTU)."""
BROADCAST: Final = b"\xff" * 6
"""The address of all stations on a segment."""
MAX_PROGRAM: Final = 4096
"""Instructions of the largest filter (BPF_MAXINSNS)."""
RECEIVE_BUFFER: Final = 32 << 20
"""Bytes of the socket's receive buffer, some 14,000 large frames: it bridges the time in which the loop is busy
elsewhere, or a thousand flows begin at once."""

_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_IGNORE_OUTGOING: Final = 23
_SO_ATTACH_FILTER: Final = 26
_SO_RCVBUFFORCE: Final = 33
_SIOCGIFHWADDR: Final = 0x8927

# Classic BPF (linux/filter.h): opcode, jump if true, jump if false, operand.
_LOAD_WORD, _LOAD_HALF, _LOAD_BYTE, _LOAD_LENGTH, _AND, _MODULO = 0x20, 0x28, 0x30, 0x80, 0x54, 0x94
_JUMP, _JUMP_EQUAL, _JUMP_MORE, _JUMP_AT_LEAST, _RETURN = 0x05, 0x15, 0x25, 0x35, 0x06
_DROP, _KEEP = (_RETURN, 0, 0, 0), (_RETURN, 0, 0, 0xFFFFFFFF)
_ANCILLARY = 0xFFFFF000  # SKF_AD_OFF: facts about the frame instead of its bytes
_PACKET_TYPE, _VLAN_TAG_PRESENT = _ANCILLARY + 4, _ANCILLARY + 48
_SOURCE, _LANE = 6, ETHERNET_HEADER + 12

Instruction = tuple[int, int, int, int]

MAX_XDP_MTU: Final = 2048 - ETHERNET_HEADER
"""Bytes of the largest frame that fits the memory shared with AF_XDP (see `alagg.native.xdp`)."""

XDP_ATTEMPTS: Final = 5
"""How often AF_XDP is tried: the kernel gives a queue back only some time after its last owner has closed it."""

log = logging.getLogger(__name__)


class EthernetPort:
    """An interface's way to the wire, shared by all links over it."""

    def __init__(
        self, interface: str, remotes: Iterable[bytes], ethertype: int, index: int = 0, count: int = 1
    ) -> None:
        """Open the port.

        Args:
            interface: the local interface; a VLAN, bridge or bond device will do as well.
            remotes: the peers' addresses, 6 bytes each; see `set_remotes`.
            ethertype: the frames' EtherType.
            index: of several ports that share the frames of one interface, this one's number, from 0.
            count: how many they are; this one takes the lanes of which the remainder by `count` is `index`.

        Raises:
            OSError: the interface is missing, or rights are. One that is down is told by the first `receive`.
        """
        self.interface = interface
        self.rx_dropped = 0
        """Frames that the kernel dropped because we were too slow; brought up to date by `counters`."""
        self._ethertype = ethertype
        self._lanes = index, count
        self._prefixes: dict[bytes, bytes] = {}
        self._receiving = _open()
        try:
            self._sending = _open()
        except OSError:
            self._receiving.close()
            raise
        self._xdp: XdpSender | None = None
        self._xdp_wanted = False
        self._xdp_attempts = 0
        self._reason = "just opened"
        """Why frames may pass by the queues, or may not."""
        self._refusal = ""
        """Why AF_XDP cannot be had although it is wanted."""
        self._opener = threading.Thread()
        try:
            # What follows the remote address in the Ethernet header of every frame sent.
            self.suffix = _own_mac(self._receiving, interface) + ethertype.to_bytes(2, "big")
            # Nothing is received before bind, so no frame slips past the filter.
            self.set_remotes(remotes)
            self._receiving.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._receiving.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
            self._receiving.bind((interface, ethertype))
            # Without a protocol it receives nothing, and no poll waits on it: each frame that has left is spared a
            # look for somebody to wake up.
            self._sending.bind((interface, 0))
        except BaseException:
            self.close()
            raise
        self._sender = FrameSender(self._sending)
        self._receiver = FrameReceiver(self._receiving, LARGEST_PAYLOAD)

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when frames wait."""
        return self._receiving.fileno()

    def set_remotes(self, remotes: Iterable[bytes]) -> None:
        """Take frames from these addresses from now on, and from no others; with `BROADCAST` among them, from all."""
        self._prefixes = {remote: remote + self.suffix for remote in remotes}
        attach_filter(self._receiving, _filter(self._prefixes, self._ethertype, self._lanes))

    def set_own_mac(self, mac: bytes) -> None:
        """Send from this address from now on, if it is known; the kernel itself knows what comes to it."""
        if mac and mac != self.suffix[:6]:
            self.suffix = mac + self.suffix[6:]
            self._prefixes = {remote: remote + self.suffix for remote in self._prefixes}

    def bypass_queues(self, *, allowed: bool, reason: str, mtu: int) -> None:
        """Send by AF_XDP if that is allowed and can be had: faster, but unseen by queueing disciplines and filters.

        Args:
            allowed: whether frames may pass by them.
            reason: why, in words.
            mtu: the interface's MTU now; larger frames than `MAX_XDP_MTU` do not go that way.
        """
        if self._xdp is not None:
            self._xdp.flush()  # the last frames of a burst wait for nobody else
        self._xdp_wanted = allowed and mtu <= MAX_XDP_MTU
        self._reason = f"the MTU is above {MAX_XDP_MTU}" if allowed and not self._xdp_wanted else reason
        if not self._xdp_wanted:
            self._close_xdp()
            self._xdp_attempts = 0
        elif self._xdp is None and self._xdp_attempts < XDP_ATTEMPTS and not self._opener.is_alive():
            self._xdp_attempts += 1
            self._refusal = "AF_XDP is being opened"
            # The kernel may keep us waiting for whoever changes an interface just now; the frames must not wait.
            self._opener = threading.Thread(target=self._open_xdp, daemon=True)
            try:
                self._opener.start()
            except RuntimeError:
                self._refusal = "AF_XDP: there can be no more threads"

    def _open_xdp(self) -> None:
        """Open the interface's queue of this worker's number."""
        try:
            sender = _xdp_sender(self.interface, self._lanes[0])
        except OSError as error:
            # The interface has fewer queues, another program has this one, or the kernel has no AF_XDP.
            self._refusal = f"AF_XDP: {error.strerror}"
            log.debug("%s: no AF_XDP, so sending by AF_PACKET: %s", self.interface, error.strerror)
            return
        if self._xdp_wanted and self._xdp is None:
            self._xdp = sender

    @property
    def sends_by(self) -> tuple[str, str]:
        """By what frames leave now, `af_xdp` or `af_packet`, and why, in words."""
        if self._xdp is not None:
            return "af_xdp", self._reason
        return "af_packet", self._refusal if self._xdp_wanted else self._reason

    def send(self, remote: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        """Send frames to an address without waiting; give how many the link took.

        Raises:
            OSError: the interface is down or gone (ENETDOWN, ENXIO), or its MTU has shrunk (EMSGSIZE). When the
                link took some frames before, the next call raises it.
        """
        prefix = self._prefixes.get(remote) or remote + self.suffix
        return (self._xdp or self._sender).send(prefix, headers, payloads)

    def receive(self) -> list[Arrival]:
        """Give the frames that wait, at most `alagg.ports.base.BATCH`.

        Raises:
            OSError: the interface went down (ENETDOWN).
        """
        return self._receiver.receive()

    def counters(self) -> dict[str, int]:
        """Give what the kernel has counted for this port; all links over it share that."""
        statistics = self._receiving.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
        self.rx_dropped += struct.unpack("=II", statistics)[1]  # the kernel starts anew at each call
        return {"rx_dropped": self.rx_dropped}

    def close(self) -> None:
        """Give the descriptors back. More calls do nothing.

        The kernel closes them only when no processor can still be at work on a frame of theirs: some 20 ms, in which
        the frames of other links must not wait.
        """
        open_ones = [one.detach() for one in (self._receiving, self._sending) if one.fileno() >= 0]
        if open_ones:
            _beside(_close, *open_ones)
        self._xdp_wanted = False
        self._close_xdp()

    def _close_xdp(self) -> None:
        sender, self._xdp = self._xdp, None
        if sender is not None:
            _beside(sender.close)


def _beside(action: Callable[..., None], *arguments: int) -> None:
    """Do something beside the loop; in it when the process may have no more threads."""
    try:
        threading.Thread(target=action, args=arguments, daemon=True).start()
    except RuntimeError:
        action(*arguments)


def _close(*descriptors: int) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def _open() -> socket.socket:
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)


def _xdp_sender(interface: str, queue: int) -> XdpSender:
    """Open a queue of the interface for sending, one for each worker.

    Raises:
        OSError: that cannot be had.
    """
    if form.edges() == "plain" or find_spec("alagg.native.xdp") is None:
        raise OSError(errno.ENOSYS, "only the compiled form has it")
    from alagg.native import xdp  # noqa: PLC0415 - only where it was built

    return xdp.XdpSender(socket.if_nametoindex(interface), queue)


def _own_mac(sock: socket.socket, interface: str) -> bytes:
    return fcntl.ioctl(sock, _SIOCGIFHWADDR, struct.pack("16s24x", interface.encode()))[18:24]


def _filter(macs: Iterable[bytes], ethertype: int, lanes: tuple[int, int]) -> list[Instruction]:
    """Give a program that keeps our EtherType, from `macs`, to our own address, without a VLAN tag, in our lanes.

    The kernel strips a VLAN device's tag before we look; a tag that is left belongs to another network.
    """
    index, count = lanes
    macs = set(macs)
    anybody = BROADCAST in macs
    checks: list[list[Instruction]] = [
        [(_LOAD_HALF, 0, 0, 12), (_JUMP_EQUAL, 1, 0, ethertype)],
        # To us (PACKET_HOST, 0), or to all (PACKET_BROADCAST, 1).
        [(_LOAD_WORD, 0, 0, _PACKET_TYPE), (_JUMP_MORE, 0, 1, 1 if anybody else 0)],
        [(_LOAD_WORD, 0, 0, _VLAN_TAG_PRESENT), (_JUMP_EQUAL, 1, 0, 0)],
    ]
    if count > 1:
        # A frame too short for a lane goes to the first worker, who counts it.
        short = (_JUMP_MORE, 0, 5 if index == 0 else 4, _LANE)
        lane = (_LOAD_BYTE, 0, 0, _LANE), (_AND, 0, 0, 0x0F), (_MODULO, 0, 0, count), (_JUMP_EQUAL, 1, 0, index)
        checks.append([(_LOAD_LENGTH, 0, 0, 0), short, *lane])
    program = [instruction for check in checks for instruction in (*check, _DROP)]
    if anybody:
        return [*program, _KEEP]
    wanted: dict[int, list[int]] = {}
    for mac in macs:
        wanted.setdefault(int.from_bytes(mac[2:], "big"), []).append(int.from_bytes(mac[:2], "big"))
    program += [(_LOAD_WORD, 0, 0, _SOURCE + 2), *_search(sorted(wanted.items()))]
    if len(program) > MAX_PROGRAM:
        raise OSError(errno.E2BIG, "too many peers over one interface")
    return program


def _search(entries: list[tuple[int, list[int]]]) -> list[Instruction]:
    """Give the part of a filter that looks an address up by halves, its lower four bytes loaded."""
    if not entries:
        return [_DROP]
    if len(entries) == 1:
        ((low, highs),) = entries
        found = [step for high in highs for step in ((_JUMP_EQUAL, 0, 1, high), _KEEP)]
        return [(_JUMP_EQUAL, 1, 0, low), _DROP, (_LOAD_HALF, 0, 0, _SOURCE), *found, _DROP]
    middle = len(entries) // 2
    left, right = _search(entries[:middle]), _search(entries[middle:])
    # A conditional jump reaches 255 instructions, an unconditional one all.
    return [(_JUMP_AT_LEAST, 0, 1, entries[middle][0]), (_JUMP, 0, 0, len(left)), *left, *right]


def attach_filter(sock: socket.socket, program: list[Instruction]) -> None:
    """Attach a filter in the place of the one before, if any."""
    code = b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    buffer = ctypes.create_string_buffer(code, len(code))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(program), ctypes.addressof(buffer)))
