"""Injector over raw sockets (raw(7), packet(7)): packets enter the host's IP stack with the header they came with.

IPv4 packets pass OUTPUT again, IPv6 packets come in by `lo`. The mark on each keeps rules from catching it once more.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


_LOOPBACK_HEADER = bytes(12) + b"\x86\xdd"  # Ethernet header of an IPv6 packet to the loopback device's address


class RawInjector:
    """Injects IPv4 and IPv6 packets."""

    def __init__(self, mark: int) -> None:
        """Open the sockets; every packet carries `mark` (SO_MARK).

        Raises:
            OSError: rights are missing.
        """
        self.injected = 0
        self.dropped: dict[str, int] = {}
        """Packets that the host did not take, by the name of its error."""
        self._v4 = _open(socket.AF_INET, socket.IPPROTO_RAW, mark)
        # Not a raw IPv6 socket: the receiver's socket would remember the route of such a packet, and with it hold the
        # interface that the route leads to. Whoever deletes that interface then waits for minutes (Linux 6.18).
        self._v6 = _open(socket.AF_PACKET, 0, mark)
        self._v6.bind(("lo", 0))

    def send(self, packets: Sequence[bytes]) -> int:
        """Inject valid IP packets without waiting; give how many the host took."""
        v4, v6 = self._v4.sendto, self._v6.send
        before = self.injected
        for packet in packets:
            try:
                if packet[0] >> 4 == 4:
                    v4(packet, (socket.inet_ntoa(packet[16:20]), 0))
                else:
                    v6(_LOOPBACK_HEADER + packet)
            except OSError as error:
                name = "full" if error.errno == errno.EAGAIN else errno.errorcode.get(error.errno or 0, "unknown")
                self.dropped[name] = self.dropped.get(name, 0) + 1
            else:
                self.injected += 1
        return self.injected - before

    def counters(self) -> dict[str, int]:
        """Give every counter."""
        return {"injected": self.injected, **{f"dropped_{name}": count for name, count in self.dropped.items()}}

    def close(self) -> None:
        """Give the descriptors back. More calls do nothing."""
        self._v4.close()
        self._v6.close()


def _open(family: socket.AddressFamily, protocol: int, mark: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, protocol)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return sock
