"""A port around a port that logs one line per frame, its header decoded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from alagg.engine.header import CONTROL, DATA, PROBE, PROBE_REPLY, Frame, MalformedFrameError, decode
from alagg.ports.base import whole

if TYPE_CHECKING:
    from collections.abc import Iterable

    from alagg.ports.base import Arrival, Port

_NAMES: Final = {DATA: "data", PROBE: "probe", PROBE_REPLY: "probe reply", CONTROL: "control"}
_LOG = logging.getLogger(__name__)


def describe(data: bytes, offset: int = 0) -> str:
    """Say in one line what a frame is, or why it is none."""
    try:
        frame = Frame(*decode(data, offset))
    except MalformedFrameError as error:
        return f"{error}, {len(data) - offset} bytes"
    piece = f" piece {frame.piece + 1} of {frame.last_piece + 1}," if frame.last_piece else ""
    return (
        f"{_NAMES[frame.type]} sequence {frame.sequence},{piece} lane {frame.lane}, epoch {frame.epoch:08x}, "
        f"link {frame.link_id}, link sequence {frame.link_sequence}, {len(frame.payload)} bytes"
    )


class Trace:
    """Passes frames on and logs each of them at level debug; above that level it costs one test per batch."""

    def __init__(self, port: Port, name: str, log: logging.Logger = _LOG) -> None:
        """Wrap a port.

        Args:
            port: whose frames are logged.
            name: the interface's name, for the log.
            log: where the lines go.
        """
        self.port = port
        self.name = name
        self._log = log

    def fileno(self) -> int:
        """Give the wrapped port's descriptor."""
        return self.port.fileno()

    def send(self, remote: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        """Send, and log what was taken.

        Raises:
            OSError: as the wrapped port.
        """
        taken = self.port.send(remote, headers, payloads)
        if self._log.isEnabledFor(logging.DEBUG):
            name = f"{self.name} {remote.hex(':')}"
            for frame in whole(headers, payloads, taken):
                self._log.debug("%s > %s", name, describe(frame))
            if taken < len(payloads):
                self._log.debug("%s is full: %d frames not taken", name, len(payloads) - taken)
        return taken

    def receive(self) -> list[Arrival]:
        """Receive, and log what came.

        Raises:
            OSError: as the wrapped port.
        """
        arrivals = self.port.receive()
        if self._log.isEnabledFor(logging.DEBUG):
            for remote, headers, payloads in arrivals:
                name = f"{self.name} {remote.hex(':')}"
                for frame in whole(headers, payloads):
                    self._log.debug("%s < %s", name, describe(frame))
                for _ in range(payloads.count(None)):
                    self._log.debug("%s < malformed frame: truncated", name)
        return arrivals

    def set_remotes(self, remotes: Iterable[bytes]) -> None:
        """Have the wrapped port take frames from these addresses."""
        self.port.set_remotes(remotes)

    def set_own_mac(self, mac: bytes) -> None:
        """Have the wrapped port send from this address."""
        self.port.set_own_mac(mac)

    def bypass_queues(self, *, allowed: bool, reason: str, mtu: int) -> None:
        """Let the wrapped port pass by queues, or not."""
        self.port.bypass_queues(allowed=allowed, reason=reason, mtu=mtu)

    @property
    def sends_by(self) -> tuple[str, str]:
        """By what the wrapped port sends, and why."""
        return self.port.sends_by

    def counters(self) -> dict[str, int]:
        """Give the wrapped port's counters."""
        return self.port.counters()

    def close(self) -> None:
        """Close the wrapped port."""
        self.port.close()
