"""Advice: what does not fit between this node and a peer, in words, from what each says of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from alagg.engine.control import MEASURING, OWNS, REFUSES, TAKES, Hello, scheduler_name
from alagg.engine.header import VERSION
from alagg.engine.state import NEW, SILENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from alagg.engine.addresses import Network
    from alagg.engine.link import Link

MARGIN: Final = 0.03
"""Seconds that queues on links may differ by, where they are kept short."""
MOST_SKEW: Final = 0.4
"""Seconds of round trip by which a link may be slower for a peer to give it packets that are nowhere else."""

_NAMED: Final = 4
"""Links that are named at most."""


class FarEnd:
    """What a peer has told of itself."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.hello: Hello | None = None
        self.networks: dict[int, tuple[Network, ...]] = {}
        """What it takes and what it owns, by kind."""
        self.links: dict[str, int] = {}
        """Its numbers for the links, by our names of these."""

    @property
    def is_redundant(self) -> bool:
        """Whether it is known to send each packet on several links."""
        return self.hello is not None and scheduler_name(self.hello.scheduler) == "redundant"

    @property
    def measures(self) -> bool:
        """Whether it is known to send by what reports say of the links."""
        return self.hello is not None and self.hello.scheduler in MEASURING

    def skew(self, links: Iterable[Link]) -> float:
        """Give the seconds that its packets may differ by, where it gives each to one of the links, by its delay.

        One way may take all of the difference of round trips; what differs more is of no use to it.
        """
        if not self.measures:
            return 0.0
        trips = [link.base_rtt for link in links if link.answering and link.base_rtt]
        skews = [trip - min(trips) for trip in trips]
        return MARGIN + max((skew for skew in skews if skew <= MOST_SKEW), default=0.0)

    def copies(self, links: int) -> int:
        """Give how many copies of each packet it sends over so many links that work; 0 while that is unknown."""
        if self.hello is None:
            return 0
        return max(min(self.hello.copies or self.hello.links, links), 1) if self.is_redundant else 1


def advice(
    far: FarEnd, *, destinations: Sequence[Network], local: Sequence[Network], links: Mapping[str, str],
    probe_interval: float,
) -> list[str]:  # fmt: skip
    """Say what does not fit; nothing when all does, or while nothing is known.

    Args:
        far: what the peer says.
        destinations: what this node takes for the peer's.
        local: what this node owns.
        links: the state of each of its links to the peer.
        probe_interval: of this node, in seconds.
    """
    hello = far.hello
    if hello is None:
        return []
    found = []
    if not hello.oldest <= VERSION <= hello.newest:
        found.append(f"the peer reads frames of versions {hello.oldest} to {hello.newest}, this node sends {VERSION}")
    found += [
        f"destinations has {one}, but the peer says that this is not its own: correct it, or networks and addresses "
        "over there"
        for one in _strangers(destinations, far.networks.get(OWNS))
    ]
    if (takes := far.networks.get(TAKES)) is not None and local and not any(_overlap(one, takes) for one in local):
        found.append(
            f"the peer takes packets from {_list(takes)}, and this host has no such address: correct destinations "
            "over there, or addresses here"
        )
    if not found:
        found += _refusals(far.networks.get(REFUSES, ()))
    if hello.links != len(links):
        theirs, ours = _links(hello.links), _links(len(links))
        found.append(f"the peer has {theirs} to this node, this node has {ours} to it{_mute(links)}")
    interval = hello.probe_interval / 1e6
    if not 1 / 20 < interval / probe_interval < 20:
        found.append(f"the peer probes each {interval:g} s, this node each {probe_interval:g} s")
    return found


def _links(number: int) -> str:
    return f"{number} link{'' if number == 1 else 's'}"


def _mute(links: Mapping[str, str]) -> str:
    """Name the links that the peer may lack: those that it does not answer on."""
    found = [name for name, state in links.items() if state in (NEW, SILENT)]
    return f"; it does not answer on {', '.join(found[:_NAMED])}" if found else ""


def _refusals(addresses: Sequence[Network]) -> list[str]:
    return [
        f"the peer refuses packets from {source.network_address} to {target.network_address}: over there, "
        "destinations must have the first, and addresses or networks the second"
        for source, target in zip(addresses[::2], addresses[1::2], strict=False)
    ]


def _strangers(mine: Iterable[Network], theirs: Sequence[Network] | None) -> list[Network]:
    return [] if theirs is None else [one for one in mine if not _overlap(one, theirs)]


def _overlap(one: Network, others: Iterable[Network]) -> bool:
    return any(one.version == other.version and one.overlaps(other) for other in others)


def _list(networks: Sequence[Network]) -> str:
    return ", ".join(map(str, networks)) or "nobody"
