from socket import socket
from typing import final

from typing_extensions import Self

@final
class Reader:
    """Reads the messages of a queue, at most `batch` (1 to 64) at once."""

    captured: int
    dropped_oversize: int
    dropped_malformed: int
    left_alone: int
    overruns: int
    disowned: int
    last: int
    def __new__(cls, sock: socket, batch: int) -> Self: ...
    def read(self) -> tuple[list[bytes], list[int]]:
        """Give the packets that wait, and for each what the kernel says of it (NFQA_SKB_INFO).

        Raises:
            OSError: the queue cannot be read.
        """

    def settle(self, queue: int) -> None:
        """Have the kernel drop the packets that were read from a queue, since they are ours, and send the others on.

        Raises:
            OSError: the kernel cannot be told.
        """

    def parse(self, message: bytes) -> tuple[list[bytes], list[int]]:
        """Parse one message from memory, as `read` does: for tests."""
