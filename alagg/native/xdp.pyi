from typing import final

from typing_extensions import Self

@final
class Sender:
    """Sends frames of at most 2,048 bytes, Ethernet header included, by one queue of an interface."""

    def __new__(cls, interface: int, queue: int) -> Self: ...
    def send(self, prefix: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        """Send frames without waiting, `prefix` before each; give how many were taken.

        Raises:
            OSError: the first frame was refused for another reason than a full link.
        """
    def close(self) -> None:
        """Give everything back. More calls do nothing."""
