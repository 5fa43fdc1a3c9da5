from collections.abc import Sequence

from alagg.engine.merge import Item

class Writer:
    """Writes packets and super-packets to one queue of a TUN device that was opened with IFF_VNET_HDR."""

    written: int
    refused: dict[str, int]
    def __init__(self, descriptor: int) -> None: ...
    def write(self, items: Sequence[Item]) -> int:
        """Write items; give how many were taken or refused: fewer than all only when the device is gone."""
