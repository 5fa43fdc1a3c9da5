"""Hears, for a moment, whose frames of our EtherType come to an interface, whoever sends them and to whom."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

LISTENED: Final = 256
"""Frames that are looked at."""
NAMED: Final = 4
"""What is said at most."""

_SOL_PACKET: Final = 263
_PACKET_IGNORE_OUTGOING: Final = 23
_PACKET_HOST: Final = 0


class Listener:
    """A packet socket that keeps what comes from now on; its own small buffer bounds it."""

    def __init__(self, interface: str, ethertype: int) -> None:
        """Begin to listen.

        Raises:
            OSError: the interface is missing, or rights are.
        """
        self._ethertype = ethertype
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
        try:
            self._socket.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            self._socket.bind((interface, ethertype))
        except OSError:
            self._socket.close()
            raise

    def heard(self, known: Collection[bytes]) -> tuple[str, ...]:
        """Say in words what has come that our links do not take; of a second call, what has come since.

        Args:
            known: the addresses of the peers over this interface.
        """
        found: dict[str, None] = {}
        for _ in range(LISTENED):
            try:
                frame, address = self._socket.recvfrom(12)
            except OSError:  # nothing more, or the interface is down
                break
            source, destination = frame[6:12], frame[:6]
            if source not in known:
                found[f"0x{self._ethertype:04x} comes here from {source.hex(':')}"] = None
            elif address[2] != _PACKET_HOST and not destination[0] & 1:
                found[f"0x{self._ethertype:04x} comes here for {destination.hex(':')}, which is not here"] = None
        return tuple(found)[:NAMED]

    def close(self) -> None:
        """Give the descriptor back. More calls do nothing."""
        self._socket.close()
