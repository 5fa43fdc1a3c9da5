"""UDP frame by frame: the plain twins of `alagg.native.udp`, for hosts without a compiler.

Frames of one size that follow each other leave as one super-datagram that the kernel cuts (`UDP_SEGMENT`, udp(7)),
and come as one where the kernel has merged them (`UDP_GRO`).
"""

from __future__ import annotations

import errno
import socket
import struct
from typing import TYPE_CHECKING, Final

from alagg.engine.header import DATA, SIZE
from alagg.ports import sockaddr
from alagg.ports.base import BATCH, Arrival, arrival

if TYPE_CHECKING:
    from collections.abc import Sequence

SEGMENTS: Final = 64
"""Frames of one super-datagram at most (UDP_MAX_SEGMENTS of older kernels)."""
LARGEST: Final = 65_000
"""Bytes of the largest super-datagram; IPv4 and UDP headers leave room for 65,507."""
RETRIES: Final = 3
"""Attempts for one datagram: an ICMP error that came for another one is told by the next call (`IP_RECVERR`)."""
TOLD: Final = frozenset((
    errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EMSGSIZE, errno.EHOSTDOWN, errno.ENOPROTOOPT,
    errno.EACCES, errno.EPROTO, errno.EOPNOTSUPP, errno.ENONET,
))  # fmt: skip
"""Errors by which the kernel tells of an ICMP error; nothing is wrong with the socket."""
_UNCUT: Final = frozenset((errno.EINVAL, errno.EMSGSIZE, errno.EIO))
"""Errors of a super-datagram that cannot be cut: its frames are too large, or the interface does not know how."""

_UDP_SEGMENT: Final = 103
_UDP_GRO: Final = 104
_IP_PKTINFO: Final = 8
_IPV6_PKTINFO: Final = 50

Control = tuple[int, int, bytes]
"""A control message: its level, its kind and its value."""
Group = tuple[int, int]
"""How many frames leave together, and the traffic class of their datagrams."""


class Sender:
    """Sends frames on one socket."""

    def __init__(self, sock: socket.socket, mask: int = 0) -> None:
        """Take the socket, non-blocking, and which bits of a packet's traffic class its datagram has, too."""
        self._sendmsg = sock.sendmsg
        self._mask = mask
        self._segments = SEGMENTS
        self.too_big = 0
        """Frames that were larger than their interface takes: as good as lost on the way."""

    def send(self, remote: bytes, headers: bytearray, payloads: list[bytes], way: int = 0) -> int:
        """Send frames to a socket address without waiting; give how many were taken.

        Args:
            remote: the address (`alagg.ports.sockaddr`).
            headers: as of every port.
            payloads: as of every port.
            way: the index of the interface that they leave by; 0 for the one that the kernel chooses.

        Raises:
            OSError: the first frame was refused for another reason than a full socket.
        """
        if not payloads:
            return 0
        stride = len(headers) // len(payloads)
        frames = [
            bytes(headers[stride * at : stride * (at + 1)]) + payload for at, payload in enumerate(payloads)
        ]
        target, done = sockaddr.to_tuple(remote), 0
        level = socket.IPPROTO_IP if sockaddr.is_ipv4(remote) else socket.IPPROTO_IPV6
        try:
            while done < len(frames):
                count, traffic = group(frames, done, self._segments, self._mask)
                self._send(frames[done : done + count], target, _control(level, way, traffic))
                done += count
        except OSError as error:
            if not done and error.errno not in (errno.EAGAIN, errno.ENOBUFS):
                raise
        return done

    def _send(self, frames: Sequence[bytes], target: sockaddr.Name, control: list[Control]) -> None:
        cut = [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", len(frames[0])))] if len(frames) > 1 else []
        for left in reversed(range(RETRIES)):
            try:
                self._sendmsg(frames, [*control, *cut], 0, target)
            except OSError as error:
                if cut and error.errno in _UNCUT:
                    return self._send_singly(frames, target, control)
                if not cut and error.errno == errno.EMSGSIZE and not left:
                    self.too_big += 1
                    return None
                if error.errno not in TOLD or not left:
                    raise
            else:
                return None
        return None

    def _send_singly(self, frames: Sequence[bytes], target: sockaddr.Name, control: list[Control]) -> None:
        before = self.too_big
        for frame in frames:
            self._send([frame], target, control)
        if self.too_big == before:
            self._segments = 1  # it was not their size: this kernel, or this way, does not cut


def _control(level: int, way: int, traffic: int) -> list[Control]:
    """Give the control messages of a datagram, at `IPPROTO_IP` or `IPPROTO_IPV6`."""
    control: list[Control] = []
    if traffic:
        kind = socket.IP_TOS if level == socket.IPPROTO_IP else socket.IPV6_TCLASS
        control.append((level, kind, struct.pack("=i", traffic)))
    if way and level == socket.IPPROTO_IP:
        control.append((level, _IP_PKTINFO, struct.pack("=i8x", way)))
    elif way:
        control.append((level, _IPV6_PKTINFO, struct.pack("=16xi", way)))
    return control


def group(frames: Sequence[bytes], start: int, segments: int, mask: int) -> Group:
    """Say how many frames, from `start` on, can leave as one super-datagram: of one size, the last maybe shorter."""
    size, total, count = len(frames[start]), 0, 0
    traffic = traffic_class(frames[start]) & mask
    for frame in frames[start : start + segments]:
        if len(frame) > size or total + len(frame) > LARGEST:
            break
        if mask and count and traffic_class(frame, traffic) & mask != traffic:
            break
        total += len(frame)
        count += 1
        if len(frame) < size:
            break
    return max(count, 1), traffic


def traffic_class(frame: bytes, otherwise: int = 0) -> int:
    """Give the traffic class of the packet in a frame; of later pieces, which do not show it, `otherwise`."""
    if frame[0] & 0x0F != DATA or len(frame) < SIZE + 2:
        return 0
    if frame[13]:
        return otherwise
    version = frame[SIZE] >> 4
    if version == 4:
        return frame[SIZE + 1]
    return (frame[SIZE] & 0x0F) << 4 | frame[SIZE + 1] >> 4 if version == 6 else 0


class Receiver:
    """Receives frames on one socket."""

    def __init__(self, sock: socket.socket, size: int = 1 << 16) -> None:
        """Take the socket, non-blocking, and the bytes of the largest datagram, a merged one included."""
        self._recvmsg = sock.recvmsg
        self._size = size
        self.ways: list[int] = []
        """The index of the interface by which each arrival came; 0 where the socket does not tell."""

    def receive(self) -> list[Arrival]:
        """Give the frames that wait, about `BATCH`; a merged datagram comes as a whole.

        Raises:
            OSError: the socket cannot receive now.
        """
        runs: list[tuple[bytes, int, list[bytes]]] = []
        count = 0
        try:
            while count < BATCH:
                data, control, _, name = self._recvmsg(self._size, 256)
                segment, way = _told(control)
                remote = sockaddr.of_tuple(name)
                frames = [data[at : at + segment] for at in range(0, len(data), segment)] if segment else [data]
                if not runs or runs[-1][:2] != (remote, way):
                    runs.append((remote, way, []))
                runs[-1][2].extend(frames)
                count += len(frames)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EINTR) and error.errno not in TOLD and not runs:
                raise
        self.ways = [way for _, way, _ in runs]
        return [arrival(remote, frames) for remote, _, frames in runs]


def _told(control: Sequence[Control]) -> tuple[int, int]:
    """Give the bytes of each merged datagram, 0 for one alone, and the interface's index."""
    segment = way = 0
    for level, kind, value in control:
        if (level, kind) == (socket.IPPROTO_UDP, _UDP_GRO):
            segment = struct.unpack_from("=i", value)[0]
        elif (level, kind) == (socket.IPPROTO_IP, _IP_PKTINFO):
            way = struct.unpack_from("=i", value)[0]
        elif (level, kind) == (socket.IPPROTO_IPV6, _IPV6_PKTINFO):
            way = struct.unpack_from("=16xi", value)[0]
    return segment, way
