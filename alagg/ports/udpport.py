"""UDP port: the links over one local address and port, through one socket (udp(7)); many peers may share it.

What it sends is marked (`SO_MARK`), so no rule of ours catches it, and bound to its interface where one is named. It
is never fragmented on the way (`IP_PMTUDISC_PROBE`): the path MTU is found by probes, and what ICMP says of it is a
hint.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg import form
from alagg.engine.header import SIZE
from alagg.ports import sockaddr

if TYPE_CHECKING or form.edges() == "plain":
    from alagg.ports.udp import Receiver, Sender
else:
    from alagg.native.udp import Receiver, Sender

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alagg.ports.base import Arrival

RECEIVE_BUFFER: Final = 32 << 20
"""Bytes of the socket's receive buffer, as of the Ethernet port."""
SEND_BUFFER: Final = 1 << 20
"""Bytes of its send buffer: some super-datagrams."""
USUAL_MTU: Final = 1500
"""Taken where the kernel has no way to a peer yet."""
ERRORS_AT_ONCE: Final = 32
"""Entries of the error queue that one read takes."""
MAX_HINTS: Final = 64
"""Hints that wait for the engine; older ones make room."""
UDP_HEADER: Final = 8
IP_HEADERS: Final = {4: 20, 6: 40}
DSCP: Final = 0xFC
"""The bits of the traffic class that are copied outward (RFC 2983)."""

_SO_RCVBUFFORCE: Final = 33
_SO_SNDBUFFORCE: Final = 32
_SO_MARK: Final = 36
_UDP_GRO: Final = 104
_IP_PKTINFO: Final = 8
_IP_RECVERR: Final = 11
_IP_MTU_DISCOVER: Final = 10
_IP_MTU: Final = 14
_IPV6_MTU_DISCOVER: Final = 23
_IPV6_MTU: Final = 24
_IPV6_RECVERR: Final = 25
_IPV6_RECVPKTINFO: Final = 49
_PROBE: Final = 3  # IP_PMTUDISC_PROBE
_MSG_ERRQUEUE: Final = 0x2000
_ERROR: Final = struct.Struct("=IBBBxII")
"""struct sock_extended_err: the number, its origin, ICMP's type and code, what goes with it (the MTU), data."""


class Place(NamedTuple):
    """Where UDP links have their own end; links with the same place share a port."""

    interface: str
    """The interface that it is bound to; empty for none."""
    address: str
    port: int
    """The port; 0 for any."""
    owner: str = ""
    """The only link that it is for, where any port will do; else empty."""

    def __str__(self) -> str:
        """Write the address and port as a configuration has it."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Hint(NamedTuple):
    """What an ICMP error says of the way to an address: anybody may have sent it."""

    remote: bytes
    reason: str
    """In words."""
    mtu: int
    """Bytes of the largest IP packet that goes on from there; 0 where it says nothing of that."""


class UdpPort:
    """One socket's way to the network."""

    def __init__(self, place: Place, mark: int, *, copy_dscp: bool = True) -> None:
        """Open the port.

        Args:
            place: its own end.
            mark: what its packets are marked with.
            copy_dscp: whether they are marked like the packets in them.

        Raises:
            OSError: the address is not this host's, the port is taken, the interface is missing, or rights are.
        """
        self.place = place
        self.interface = place.interface
        self.mtu = USUAL_MTU
        self.hints: deque[Hint] = deque(maxlen=MAX_HINTS)
        self.icmp_errors = 0
        """ICMP errors that came for what was sent."""
        self._ways: dict[bytes, int] = {}
        self._mark = mark
        self._socket = self._open()
        self._sender = Sender(self._socket, DSCP if copy_dscp else 0)
        self._receiver = Receiver(self._socket)

    def _open(self) -> socket.socket:
        address = ipaddress.ip_address(self.place.address)
        try:
            return _bound(self.place, address, self._mark)
        except OSError as error:
            if self.place.owner and error.errno == errno.EAFNOSUPPORT and address.is_unspecified:
                return _bound(self.place, ipaddress.IPv4Address(0), self._mark)  # a host without IPv6
            raise

    @property
    def family(self) -> int:
        """`AF_INET`, or `AF_INET6`; the latter reaches IPv4, too, where the place is any address."""
        return self._socket.family

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when frames, or errors, wait."""
        return self._socket.fileno()

    def send(self, remote: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        """Send frames to an address without waiting; give how many the socket took.

        Raises:
            OSError: there is no way to this address now; other addresses of the port may do.
        """
        return self._sender.send(remote, headers, payloads, self._ways.get(remote, 0))

    def receive(self) -> list[Arrival]:
        """Give the frames that wait.

        Raises:
            OSError: the socket is closed.
        """
        arrivals = self._receiver.receive()
        if not arrivals:
            self._read_errors()
        return arrivals

    @property
    def ways(self) -> list[int]:
        """The index of the interface by which each of the last arrivals came."""
        return self._receiver.ways

    def set_way(self, remote: bytes, index: int) -> None:
        """Send to an address by an interface, whatever the routes prefer; 0 leaves it to them."""
        if index and not self.interface:
            self._ways[remote] = index
        else:
            self._ways.pop(remote, None)

    def way(self, remote: bytes) -> int:
        """Give the index of the interface by which frames to an address leave; 0 where the routes decide."""
        return self._ways.get(remote, 0)

    def set_remotes(self, remotes: Iterable[bytes]) -> None:
        """Forget the ways to all other addresses; frames from those are the caller's to judge."""
        known = set(remotes)
        self._ways = {remote: way for remote, way in self._ways.items() if remote in known}

    def room(self, remote: bytes) -> int:
        """Give the bytes of the largest frame that leaves whole towards an address, as the host's routes say.

        Raises:
            OSError: there is no way to it.
        """
        address, _ = sockaddr.unpack(remote)
        return _route_mtu(remote, self.place, self._mark, self._ways.get(remote, 0)) - overhead(address.version)

    def set_own_mac(self, mac: bytes) -> None:
        """Do nothing: the kernel writes the Ethernet header."""

    def bypass_queues(self, *, allowed: bool, reason: str, mtu: int) -> None:
        """Do nothing: there is no such way."""

    @property
    def sends_by(self) -> tuple[str, str]:
        """By what frames leave: `udp`."""
        return "udp", "the kernel's own UDP, past no queue and no filter"

    def counters(self) -> dict[str, int]:
        """Give the socket's counters; all links over it share them."""
        return {
            "rx_dropped": self._dropped(),
            "tx_too_big": self._sender.too_big,
            "icmp_errors": self.icmp_errors,
        }

    def _dropped(self) -> int:
        """Give the datagrams that the kernel dropped because we were too slow (SO_MEMINFO, SK_MEMINFO_DROPS)."""
        try:
            return int(struct.unpack("=9I", self._socket.getsockopt(socket.SOL_SOCKET, 55, 36))[8])
        except OSError:
            return 0

    def close(self) -> None:
        """Give the descriptor back. More calls do nothing."""
        self._socket.close()

    def _read_errors(self) -> None:
        """Take what came from routers and hosts about what was sent; it stays a hint."""
        for _ in range(ERRORS_AT_ONCE):
            try:
                _, control, _, name = self._socket.recvmsg(0, 512, _MSG_ERRQUEUE)
            except OSError:
                return
            self.icmp_errors += 1
            for level, kind, value in control:
                wanted = (level, kind) in ((socket.IPPROTO_IP, _IP_RECVERR), (socket.IPPROTO_IPV6, _IPV6_RECVERR))
                if wanted and len(value) >= _ERROR.size and name:
                    number, _, _, _, info, _ = _ERROR.unpack_from(value)
                    mtu = info if number == errno.EMSGSIZE else 0
                    self.hints.append(Hint(sockaddr.of_tuple(name), os.strerror(number), mtu))


def overhead(version: int) -> int:
    """Give the bytes of the IP and UDP headers around a frame."""
    return IP_HEADERS[version] + UDP_HEADER


def _bound(place: Place, address: sockaddr.Address, mark: int) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    try:
        _prepare(opened, place, mark, dual=address.is_unspecified)
        with suppress(OSError):  # Linux 5.0
            opened.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER)
        opened.setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, SEND_BUFFER)
        opened.bind(sockaddr.to_tuple(sockaddr.pack(address, place.port, family=family)))
    except BaseException:
        opened.close()
        raise
    return opened


def _prepare(opened: socket.socket, place: Place, mark: int, *, dual: bool) -> None:
    """Set what decides by which way packets leave, and what may become of them there."""
    opened.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
    if place.interface:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, place.interface.encode())
    opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PROBE)
    opened.setsockopt(socket.IPPROTO_IP, _IP_RECVERR, 1)
    opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not dual))
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PROBE)
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVERR, 1)
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO, 1)


def _route_mtu(remote: bytes, place: Place, mark: int, way: int) -> int:
    """Ask the kernel for the MTU of its way to an address."""
    address, port = sockaddr.unpack(remote)
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    level, option = (socket.IPPROTO_IP, _IP_MTU) if address.version == 4 else (socket.IPPROTO_IPV6, _IPV6_MTU)
    if way:
        place = place._replace(interface=socket.if_indextoname(way))
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        _prepare(asking, place, mark, dual=True)
        target = sockaddr.to_tuple(remote)
        asking.connect(target if len(target) == 4 and address.version == 6 else (str(address), port))
        return asking.getsockopt(level, option)


def largest(frames_mtu: int, version: int) -> int:
    """Give the bytes of the largest frame over an interface of an MTU."""
    return max(frames_mtu - overhead(version), SIZE)
