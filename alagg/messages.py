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
    queues: bool = True
    """Whether a queueing discipline orders or shapes what it sends."""


@dataclass(frozen=True)
class HostFacts:
    """What the supervisor knows of the host."""

    interfaces: dict[str, InterfaceFacts]
    """The links' interfaces by name; one that is missing does not exist now."""
    local: tuple[Network, ...]
    """Networks that received packets may go to."""
    device: str = ""
    """The node's own device, through which packets are injected; empty when there is none."""


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
