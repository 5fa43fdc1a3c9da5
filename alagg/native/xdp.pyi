from typing import final

from typing_extensions import Self

@final
class XdpSender:
    """Sends frames of at most 2,048 bytes, Ethernet header included, by one queue of an interface."""

    def __new__(cls, interface: int, queue: int) -> Self: ...
    def send(self, prefix: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        """Send frames without waiting, `prefix` before each; give how many were taken.

        Those that the kernel has no room for wait in the ring, 512 at most, for the next call or for `flush`.

        Raises:
            OSError: the first frame was refused for another reason than a full link. After that nothing is sent any
                more, and nothing of what waits: open another one. One that is only too large (EMSGSIZE) ends nothing.
        """

    def flush(self) -> None:
        """Hand over what the kernel had no room for before; a refusal shows with the next `send`."""

    def close(self) -> None:
        """Give everything back. More calls do nothing."""
