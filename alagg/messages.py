"""What the supervisor and its workers tell each other, over a connection that pickles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alagg.config import Config, Network


@dataclass(frozen=True)
class InterfaceFacts:
    """What the supervisor knows of an interface."""

    index: int
    mtu: int
    reason: str
    """Why it cannot carry frames, in words; empty when it can."""
    queues: str = "its queueing discipline is not known"
    """What orders, shapes or filters what it sends, in words; empty when nothing does."""
    mac: bytes = b""
    """Its own address now; empty when it is not known."""

    def bypass(self, wish: str) -> tuple[bool, str]:
        """Say whether frames may pass by what orders and filters them, as the option `xdp` wishes, and why."""
        if wish != "auto":
            return wish == "yes", f"xdp = {wish}"
        return not self.queues, self.queues or "nothing orders or filters what the interface sends"


@dataclass(frozen=True)
class HostFacts:
    """What the supervisor knows of the host."""

    interfaces: dict[str, InterfaceFacts]
    """The links' interfaces by name; one that is missing does not exist now."""
    local: tuple[Network, ...]
    """Networks that received packets may go to."""
    device: str = ""
    """The node's own device, through which packets are injected; empty when there is none."""
    device_index: int = 0
    """Its index: another one means another device of the same name."""


@dataclass(frozen=True)
class Reconfigure:
    """Take a new configuration and carry on."""

    config: Config


@dataclass(frozen=True)
class SnapshotRequest:
    """Answer with a snapshot of all counters."""


@dataclass(frozen=True)
class Ready:
    """The worker captures and sends."""


@dataclass(frozen=True)
class Failed:
    """The worker cannot work; one line says why."""

    reason: str


@dataclass(frozen=True)
class Stop:
    """Release what is held, close the edges and end."""
