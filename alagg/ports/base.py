"""What the edges look like to the loop: small interfaces that move batches and own file descriptors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from alagg.engine.header import SIZE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

BATCH = 64
"""Packets or frames that one read takes at most: long enough to share its costs, short enough to stay fair."""

MAX_HEADER = 64
"""Bytes of the largest header that a port sends; one that comes is read as `alagg.engine.header.SIZE` bytes."""

Arrival = tuple[bytes, bytes, "list[bytes | None]"]
"""Frames of one remote in their order: its address, their headers in one piece, and what came behind each header.

A frame too short for a header has zeros in its place, and None."""


class Port(Protocol):
    """One local attachment, such as an interface; every link over it has a remote address of its own."""

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when `receive` has something; -1 while the port is down."""

    def send(self, remote: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        """Send frames to a remote address, header and payload apart, without ever waiting.

        Args:
            remote: the remote address.
            headers: all headers in one piece; each has the same size, 24 to `MAX_HEADER` bytes.
            payloads: what follows each header.

        Returns:
            How many were taken, always the first ones. When the link is full the rest is dropped by the caller.

        Raises:
            OSError: the port cannot send now (interface down or gone), and took none of these frames.
        """

    def receive(self) -> list[Arrival]:
        """Give the frames that wait, at most `BATCH` in all; an empty list when there are none.

        Raises:
            OSError: the port cannot receive now (interface down or gone).
        """

    def set_remotes(self, remotes: Iterable[bytes]) -> None:
        """Take frames from these addresses from now on, and from no others."""

    def set_own_mac(self, mac: bytes) -> None:
        """Send from the interface's own address, which may change at any time; empty while it is not known."""

    def bypass_queues(self, *, allowed: bool, reason: str, mtu: int) -> None:
        """Say, now and then anew, whether frames may pass by the host's queues, why (not), and the MTU.

        Ports that have no such way ignore it.
        """

    @property
    def sends_by(self) -> tuple[str, str]:
        """By what frames leave now, such as `af_xdp` or `af_packet`, and why, in words."""

    def counters(self) -> dict[str, int]:
        """Give the edge's own counters by name."""

    def close(self) -> None:
        """Give the descriptors back. More calls do nothing."""


class Capture(Protocol):
    """Where outbound packets come from."""

    segment_size: int
    """Bytes of the largest packet that need not be split; TCP super-packets are cut to it."""

    def fileno(self) -> int:
        """Give the descriptor that becomes readable when packets wait."""

    def receive(self) -> list[bytes]:
        """Take the packets that wait, at most `BATCH`; they belong to the caller from now on."""

    def settle(self) -> None:
        """Tell the kernel that what was received is ours: the frames have left, so nobody waits for this.

        A refusal is the capture's own to count and to make up for.
        """

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


def bare(port: Port) -> Port:
    """Give the port that others are wrapped around."""
    while (inner := getattr(port, "port", None)) is not None:
        port = inner
    return port


def whole(
    headers: bytes | bytearray, payloads: Sequence[bytes | None], count: int | None = None
) -> Iterator[bytes]:
    """Give frames, or the first `count` of them, in one piece each; those too short for a header are left out."""
    stride = len(headers) // max(len(payloads), 1)
    for index, payload in enumerate(payloads[:count]):
        if payload is not None:
            yield bytes(headers[stride * index : stride * (index + 1)]) + payload


def arrival(remote: bytes, frames: Sequence[bytes]) -> Arrival:
    """Give whole frames, of one remote, as a port hands them over."""
    headers = b"".join(frame[:SIZE] if len(frame) >= SIZE else bytes(SIZE) for frame in frames)
    return remote, headers, [frame[SIZE:] if len(frame) >= SIZE else None for frame in frames]
