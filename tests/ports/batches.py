"""Batches as ports take and give them, from payloads and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.header import SIZE
from alagg.ports.base import whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alagg.ports.base import Arrival, Port

HEADER: Final = b"P" * SIZE
"""Stands before every payload of `batch`."""
REMOTE: Final = b"remote"


def batch(*payloads: bytes, header: bytes = HEADER) -> tuple[bytearray, list[bytes]]:
    """Give what `Port.send` takes after the address: a frame for each payload."""
    return bytearray(header * len(payloads)), list(payloads)


def send(port: Port, *payloads: bytes, remote: bytes = REMOTE) -> int:
    return port.send(remote, *batch(*payloads))


def payloads_of(arrivals: Iterable[Arrival]) -> list[bytes | None]:
    """Give all payloads, whoever sent them."""
    return [payload for _, _, payloads in arrivals for payload in payloads]


def frames_of(arrivals: Iterable[Arrival]) -> list[bytes]:
    """Give all frames in one piece each, whoever sent them."""
    return [frame for _, headers, payloads in arrivals for frame in whole(headers, payloads)]


def drain(port: Port) -> list[bytes]:
    """Give all frames that wait, in one piece each."""
    return [frame for arrivals in iter(port.receive, []) for frame in frames_of(arrivals)]
