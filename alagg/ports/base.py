"""What the edges look like to the loop: small interfaces that move batches and own file descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH = 64
"""Packets or frames that one read takes at most: long enough to share its costs, short enough to stay fair."""


class Port(Protocol):
    """One link's way to the wire and back."""

    @property
    def mtu(self) -> int:
        """Bytes of the largest frame (Alagg header and payload) that the port takes."""

    @property
    def offset(self) -> int:
        """Bytes before the Alagg header in what `receive` gives."""

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when `receive` has something; -1 while the port is down."""

    def send(self, headers: Sequence[bytes], payloads: Sequence[bytes]) -> int:
        """Send frames, header and payload apart, without ever waiting.

        Returns:
            How many were taken, always the first ones. When the link is full the rest is dropped by the caller.

        Raises:
            OSError: the port cannot send now (interface down or gone), and took none of these frames.
        """

    def receive(self) -> list[bytes]:
        """Give the frames that wait, at most `BATCH`; an empty list when there are none.

        Raises:
            OSError: the port cannot receive now (interface down or gone).
        """

    def counters(self) -> dict[str, int]:
        """Give the edge's own counters by name."""

    def close(self) -> None:
        """Give the descriptor back. More calls do nothing."""


class Capture(Protocol):
    """Where outbound packets come from."""

    segment_size: int
    """Bytes of the largest packet that need not be split; TCP super-packets are cut to it."""

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when packets wait."""

    def receive(self) -> list[bytes]:
        """Take the packets that wait, at most `BATCH`; they belong to the caller from now on."""

    def counters(self) -> dict[str, int]:
        """Give the edge's own counters by name."""

    def close(self) -> None:
        """Give the descriptor back. More calls do nothing."""


class Injector(Protocol):
    """Where received packets go: back into the host's IP stack."""

    def send(self, packets: Sequence[bytes]) -> int:
        """Inject packets without waiting; give how many the host took. The others are counted by reason."""

    def counters(self) -> dict[str, int]:
        """Give the edge's own counters by name."""

    def close(self) -> None:
        """Give the descriptors back. More calls do nothing."""
