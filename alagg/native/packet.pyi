from collections.abc import Sequence
from socket import socket
from typing import final

from typing_extensions import Self

@final
class Sender:
    """Sends frames on one socket."""

    def __new__(cls, sock: socket, prefix: bytes) -> Self: ...
    def send(self, headers: Sequence[bytes], payloads: Sequence[bytes]) -> int:
        """Send frames without waiting; give how many were taken.

        Raises:
            OSError: the first frame was refused for another reason than a full link.
        """

@final
class Receiver:
    """Receives frames of at most `size` bytes on one socket."""

    def __new__(cls, sock: socket, size: int) -> Self: ...
    def receive(self) -> list[bytes]:
        """Give the frames that wait, at most 64.

        Raises:
            OSError: the socket cannot receive now.
        """
