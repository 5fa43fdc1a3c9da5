from collections.abc import Sequence
from socket import socket

class Sender:
    """Sends frames on one socket."""

    def __init__(self, sock: socket, prefix: bytes) -> None: ...
    def send(self, headers: Sequence[bytes], payloads: Sequence[bytes]) -> int:
        """Send frames without waiting; give how many were taken.

        Raises:
            OSError: the first frame was refused for another reason than a full link.
        """

class Receiver:
    """Receives frames of at most `size` bytes on one socket."""

    def __init__(self, sock: socket, size: int) -> None: ...
    def receive(self) -> list[bytes]:
        """Give the frames that wait, at most 64.

        Raises:
            OSError: the socket cannot receive now.
        """
