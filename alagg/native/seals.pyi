"""Frames sealed and opened by libcrypto, a batch at a time, during which other threads may run."""

from typing import final

from typing_extensions import Self

from alagg.keys.schedule import LaneKeys

@final
class Seal:
    """Seals and opens the frames of one lane, direction and generation."""

    def __new__(cls, cipher: int, keys: LaneKeys) -> Self: ...
    def seal(self, headers: bytes | bytearray, payloads: list[bytes]) -> list[bytes]:
        """Seal payloads, each with its header, one after the other; give what is equal in all copies of each."""

    def finish(self, headers: bytearray, sealed: list[bytes]) -> list[bytes]:
        """Complete copies: write the tag of each, into its header and before what is sealed; give the payloads."""

    def vouch(self, headers: bytes, places: list[int], payloads: list[bytes]) -> list[bool]:
        """Tell of frames, by their places among the headers, whether their copies' tags are right."""

    def open(self, headers: bytes, places: list[int], payloads: list[bytes]) -> list[bytes | None]:
        """Give what frames have sealed; None for one that is not authentic."""
