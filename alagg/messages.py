"""What the supervisor and its workers tell each other, as whole messages (`alagg.channel`)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from alagg.config import Config, Network, PeerConfig
    from alagg.control.parts import Part
    from alagg.engine.events import Event


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
    ways: tuple[tuple[str, int], ...] = ()
    """Addresses of peers that lie in destinations, each with the interface's index by which a UDP link gets there
    all the same; 0 where none leads there."""


@dataclass(frozen=True)
class Names:
    """What the names of UDP links' remotes stand for."""

    found: dict[str, tuple[str, ...]]
    """The addresses of each, in the order in which they are to be tried."""
    problems: dict[str, str]
    """Why the others cannot be looked up."""


@dataclass(frozen=True)
class Held:
    """The links that are held back: each one's peer, name, state, and the reason in words. All others are free."""

    links: tuple[tuple[str, str, str, str], ...]


@dataclass(frozen=True)
class CapsUsed:
    """What links with a cap have carried of it, in bytes, and until when that counts, by peer and name."""

    links: dict[tuple[str, str], tuple[int, str]]


@dataclass(frozen=True)
class Reconfigure:
    """Take a new configuration and carry on."""

    config: Config
    number: int = 0
    """Counts the configurations of this node's life."""
    following: int = 0
    """How many of its peers are still to come, in `MorePeers`; it is taken when all are there."""


@dataclass(frozen=True)
class MorePeers:
    """Further peers of a new configuration: few, so that no round of a worker's loop has to look at many."""

    peers: tuple[PeerConfig, ...]


@dataclass(frozen=True)
class Taken:
    """The worker goes by the new configuration."""

    number: int


@dataclass(frozen=True)
class SnapshotRequest:
    """Answer with all counters, in as many parts as it takes."""

    number: int = 0


@dataclass(frozen=True)
class SnapshotPart:
    """Some of the counters."""

    number: int
    """The request's."""
    part: Part
    first: bool
    last: bool


@dataclass(frozen=True)
class Ping:
    """Send one probe on a link, and tell of its answer (`alagg.engine.events.Ponged`)."""

    peer: str
    link: str
    number: int
    size: int
    """Bytes of the frame; it is at most what the link carries, at least what a probe has."""


@dataclass(frozen=True)
class Burst:
    """Send frames on a link that nobody needs, to see how many arrive."""

    peer: str
    link: str
    frames: int


@dataclass(frozen=True)
class Measure:
    """Tell what was sent on a link, and what came of it (`alagg.engine.events.Measured`)."""

    peer: str
    link: str
    number: int


Try = Ping | Burst | Measure
"""What is tried on a link."""


@dataclass(frozen=True)
class Happened:
    """What the engine tells of, each with its time (`time.time`)."""

    events: list[tuple[float, Event]]
    dropped: int = 0
    """How many there were before these, for which there was no room."""


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


PEERS: Final = 16
"""Peers that one message tells of."""


def in_pieces(config: Config, number: int) -> list[Reconfigure | MorePeers]:
    """Give a new configuration as the messages that a worker can take one by one."""
    peers = config.peers
    first = Reconfigure(replace(config, peers=peers[:PEERS], texts={}), number, max(len(peers) - PEERS, 0))
    return [first, *(MorePeers(peers[start : start + PEERS]) for start in range(PEERS, len(peers), PEERS))]
