"""What the engine tells the node: rare things that an operator wants to read, never one line per packet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alagg.engine.control import Report


@dataclass(frozen=True)
class LinkStateChanged:
    """A link began or ceased to carry frames both ways."""

    peer: str
    link: str
    state: str
    """One of `alagg.engine.state.STATES`."""
    reason: str
    """Why, in words; empty when the link is up."""

    @property
    def bad(self) -> bool:
        """Whether an operator should worry."""
        return self.state != "up"

    def __str__(self) -> str:
        """Say it in one line."""
        return f"link {self.link} to {self.peer} is {self.state}" + (f": {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class NumberingReset:
    """Another stream of numbers took over: the peer was restarted, or its numbers jumped."""

    peer: str
    lane: int
    epoch: int
    bad: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        lane = f", lane {self.lane}" if self.lane else ""
        return f"peer {self.peer} was restarted, or its numbers jumped: now in epoch {self.epoch:#010x}{lane}"


@dataclass(frozen=True)
class LatentError:
    """Copies are missing although no packet is lost: redundancy is gone in silence (IEEE 802.1CB, 7.4.4)."""

    peer: str
    expected: int
    """Copies that (links - 1) x passed packets should have brought in the period."""
    discarded: int
    """Copies that came."""
    bad: bool = True

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"peer {self.peer}: of {self.expected} redundant copies only {self.discarded} came; nothing need be lost "
            "yet, but a link carries less than it should (see alagg status)"
        )


@dataclass(frozen=True)
class AdviceChanged:
    """What the peer says of itself does not fit this node's configuration, or fits now."""

    peer: str
    advice: tuple[str, ...]
    """Each thing that does not fit, in words; empty when all fits."""

    @property
    def bad(self) -> bool:
        """Whether an operator should worry."""
        return bool(self.advice)

    def __str__(self) -> str:
        """Say it in one line."""
        return f"peer {self.peer}: {'; '.join(self.advice) or 'all fits now'}"


@dataclass(frozen=True)
class PacketsRefused:
    """Packets of a peer were not injected, since their addresses are not what this node's configuration says."""

    peer: str
    reason: str
    """One of `alagg.engine.addresses.REFUSED`."""
    count: int
    """How many of this reason since the node began."""
    source: str
    """Of the last one."""
    destination: str
    bad: bool = True

    def __str__(self) -> str:
        """Say it in one line."""
        return f"peer {self.peer}: {refusal(self.reason, self.count, self.source, self.destination)}"


def refusal(reason: str, count: int, source: str, destination: str) -> str:
    """Say how many packets were refused, which one was the last, and which option to look at."""
    packets = f"{count:,} packet{'s' if count != 1 else ''}"
    if reason == "foreign_source":
        return f"{packets} refused: {source} is not in its destinations (the last one was for {destination})"
    if reason == "foreign_destination":
        return (
            f"{packets} refused: {destination} is neither this host's own address nor in networks "
            f"(the last one was from {source})"
        )
    return f"{packets} refused: not an IP packet"


@dataclass(frozen=True)
class LinkFound:
    """What the worker that watches the links found out about one, for the others."""

    peer: str
    link: str
    state: str
    path_mtu: int
    """As `alagg.engine.link.Link.path_mtu`."""
    bad: bool = False


@dataclass(frozen=True)
class PeerMoved:
    """Where the worker that watches the links has found a link's peer, for the others."""

    peer: str
    link: str
    remote: str
    """Its MAC address, as text."""
    bad: bool = False


@dataclass(frozen=True)
class ReportHeard:
    """What the peer tells this worker of another one's frames: where the numbers of workers differ, lanes meet."""

    peer: str
    report: Report
    bad: bool = False


@dataclass(frozen=True)
class LinkCarried:
    """What a link with a cap has carried in this worker's life, since it has one."""

    peer: str
    link: str
    size: int
    """Bytes, both ways, with the headers that its carrier counts."""
    bad: bool = False


@dataclass(frozen=True)
class Ponged:
    """What came of a ping that somebody has asked for."""

    peer: str
    link: str
    number: int
    """Of the ping."""
    rtt: float
    """Seconds of the round trip; negative where it could not be sent."""
    reason: str = ""
    """Why it could not, in words."""
    bad: bool = False


@dataclass(frozen=True)
class Measured:
    """How much has been sent on a link, and how much of it has come, for who tries its speed."""

    peer: str
    link: str
    number: int
    """Of the question."""
    tx_frames: int
    tx_dropped: int
    """Frames that the link had no room for."""
    highest: int
    """Of the frames that the peer has told of last: the number of the last one."""
    received: int
    """How many of them came."""
    reports: int
    """How many reports of the peer say so; 0 for none."""
    size: int
    """Bytes of a frame by which the link is tried."""
    reason: str = ""
    """Why nothing can be tried, in words."""
    bad: bool = False


@dataclass(frozen=True)
class NameWanted:
    """A peer does not answer where its name pointed: it should be looked up again."""

    host: str
    bad: bool = False


ForCrew = LinkFound | PeerMoved | ReportHeard
"""What only the node's other workers want to know."""
ForTrials = Ponged | Measured
"""What only those want to know who try a link."""
Event = (
    ForCrew | ForTrials | NameWanted | LinkCarried | LinkStateChanged | NumberingReset | LatentError
    | AdviceChanged | PacketsRefused
)  # fmt: skip
