from socket import socket
from typing import final

from typing_extensions import Self

from alagg.ports.base import Arrival

@final
class Sender:
    """Sends frames on one socket."""

    too_big: int
    """Frames that were larger than their interface takes: as good as lost on the way."""
    def __new__(cls, sock: socket, mask: int = 0) -> Self: ...
    def send(self, remote: bytes, headers: bytearray, payloads: list[bytes], way: int = 0) -> int:
        """Send frames to a socket address without waiting; give how many were taken.

        Raises:
            OSError: the first frame was refused for another reason than a full socket.
        """

@final
class Receiver:
    """Receives frames on one socket."""

    ways: list[int]
    """The index of the interface by which each arrival came; 0 where the socket does not tell."""
    def __new__(cls, sock: socket, size: int = 65536) -> Self: ...
    def receive(self) -> list[Arrival]:
        """Give the frames that wait, of at most 16 datagrams; a merged one comes as a whole.

        Raises:
            OSError: the socket cannot receive now.
        """
