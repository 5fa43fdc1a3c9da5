"""Injector over raw IP sockets (raw(7)): packets go back into the host's IP stack with the header they came with.

What is injected passes OUTPUT again; the mark on it keeps the rules from catching it once more.
"""

from __future__ import annotations

import errno
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


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
        self._sockets = {
            4: _open(socket.AF_INET, mark),
            6: _open(socket.AF_INET6, mark),
        }

    def send(self, packets: Sequence[bytes]) -> int:
        """Inject valid IP packets without waiting; give how many the host took."""
        v4, v6 = self._sockets[4].sendto, self._sockets[6].sendto
        before = self.injected
        for packet in packets:
            try:
                if packet[0] >> 4 == 4:
                    v4(packet, (socket.inet_ntoa(packet[16:20]), 0))
                else:
                    v6(packet, (socket.inet_ntop(socket.AF_INET6, packet[24:40]), 0))
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
        for sock in self._sockets.values():
            sock.close()


def _open(family: socket.AddressFamily, mark: int) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.IPPROTO_RAW)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    return sock
