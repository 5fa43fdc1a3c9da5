from collections.abc import Sequence
from typing import final

from typing_extensions import Self

from alagg.engine.merge import Item

@final
class Reader:
    """Reads packets and super-packets from one queue of a TUN device that was opened with IFF_VNET_HDR."""

    malformed: int
    def __new__(cls, descriptor: int) -> Self: ...
    def read(self) -> tuple[list[bytes], list[bytes | None]]:
        """Give the packets that wait, and what `alagg.engine.vnet` has to know of each; None: it is finished."""

@final
class Writer:
    """Writes packets and super-packets to one queue of a TUN device that was opened with IFF_VNET_HDR."""

    written: int
    refused: dict[str, int]
    def __new__(cls, descriptor: int) -> Self: ...
    def write(self, items: Sequence[Item]) -> int:
        """Write items; give how many were taken or refused: fewer than all only when the device is gone."""
