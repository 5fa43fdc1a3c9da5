"""The limit of open files (RLIMIT_NOFILE): raised as far as the host allows, or one line that says how many lack."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING, Final

from alagg.engine.held import LIMIT
from alagg.system import HostError

if TYPE_CHECKING:
    from alagg.config import Config

PLENTY: Final = 1 << 16
"""What suffices for any configuration that a reload may bring."""


def needed(config: Config) -> int:
    """Give how many descriptors the supervisor or a worker has open at most.

    For each interface, a worker has two sockets and one of AF_XDP; those that it has closed go a little later.
    """
    places = {(link.interface, link.local or link.name) for link in config.links if link.type == "udp"}
    interfaces = {link.interface for link in config.links if link.type != "udp"}
    return 64 + 2 * config.workers + 6 * len(interfaces) + 2 * len(places)


def allow_descriptors(config: Config) -> None:
    """Let this process, and those that it starts, have as many descriptors as a configuration takes.

    Raises:
        HostError: the host does not allow so many. A node that runs out of them on the way cannot even tidy up.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY:
        hard = PLENTY
    if hard < needed(config):
        raise HostError(
            f"the limit of open files (ulimit -n, LimitNOFILE of a unit) is {hard}: "
            f"{needed(config)} are needed for {len(config.links)} links"
        )
    if 0 <= soft < min(hard, PLENTY):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, PLENTY), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def memory_to_hold() -> int:
    """Give the bytes that packets may take which wait for others: a quarter of the host's, within a bound."""
    return min(LIMIT, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4)
