from socket import socket
from typing import final

from typing_extensions import Self

from alagg.ports.base import Arrival

@final
class FrameSender:
    """Sends frames on one socket."""

    def __new__(cls, sock: socket) -> Self: ...
    def send(self, prefix: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        """Send frames without waiting, `prefix` before each; give how many were taken.

        Raises:
            OSError: the first frame was refused for another reason than a full link.
        """

@final
class FrameReceiver:
    """Receives frames with payloads of at most `size` bytes on one socket."""

    def __new__(cls, sock: socket, size: int) -> Self: ...
    def receive(self) -> list[Arrival]:
        """Give the frames that wait, at most 64.

        Raises:
            OSError: the socket cannot receive now.
        """
