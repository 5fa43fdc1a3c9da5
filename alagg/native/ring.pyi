from socket import socket
from typing import final

from typing_extensions import Self

def on_socket(sock: socket, size: int) -> Receiver:
    """Give a socket that is not bound yet a ring for frames of at most `size` bytes, Ethernet header included.

    Raises:
        OSError: the kernel refuses.
        ValueError: the size is impossible.
    """

@final
class Receiver:
    """Takes frames out of the ring behind a descriptor: `slots` places of `size` bytes each."""

    def __new__(cls, descriptor: int, slots: int, size: int) -> Self: ...
    def receive(self) -> list[tuple[bytes, bytes, list[bytes | None]]]:
        """Give the frames that wait, at most 64: for each run of one source its address, headers and payloads.

        Raises:
            OSError: no frame waits, and the socket cannot receive any more.
        """

    def close(self) -> None:
        """Give the memory back. More calls do nothing."""
