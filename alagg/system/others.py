"""Others: programs of this host that take frames of our EtherType on our interfaces, another node above all."""

from __future__ import annotations

import itertools
import os
import socket
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from alagg import config as configuration
from alagg.config import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.config import Config, LinkConfig

_SOCKETS: Final = Path("/proc/net/packet")
_PROCESSES: Final = Path("/proc")


class Claim(NamedTuple):
    """Somebody else's use of a link's interface."""

    link: str
    """The name of our link."""
    interface: str
    pid: int
    file: Path | None
    """The configuration of a node that has a link of the same interface to the same address; None for a program of
    which that is not known."""


def claims(config: Config) -> list[Claim]:
    """Give who else takes our frames; nodes over the same interface that lead elsewhere are no concern of ours."""
    inodes = _sockets(config)
    found: dict[tuple[str, Path | None], Claim] = {}
    for inode, pid in _holders(set(inodes)):
        other = _configuration(pid)
        if pid == os.getpid() or (other and other.control_socket == config.control_socket):
            continue
        for link in config.ethernet_links:
            if link.interface != inodes[inode]:
                continue
            same = other and any(_same(one, link) for one in other.links)
            if same or not other:
                file = other.path if other else None
                found.setdefault((link.name, file), Claim(link.name, link.interface, pid, file))
    return list(found.values())


def _same(one: LinkConfig, link: LinkConfig) -> bool:
    return (one.interface, one.mac) == (link.interface, link.mac) and not link.finds


def _sockets(config: Config) -> dict[str, str]:
    """Give the packet sockets for our EtherType on our interfaces: the interface, by the socket's inode."""
    names = {link.interface for link in config.ethernet_links}
    indexes = {index: name for index, name in socket.if_nameindex() if name in names}
    found = {}
    with suppress(OSError):
        for line in _SOCKETS.read_text(encoding="ascii").splitlines()[1:]:
            _, _, _, protocol, index, _, _, _, inode = line.split()[:9]
            if int(protocol, 16) == config.ethertype and int(index) in indexes:
                found[f"socket:[{inode}]"] = indexes[int(index)]
    return found


def _holders(inodes: set[str]) -> Iterator[tuple[str, int]]:
    """Give who has these sockets open, each socket and process once."""
    if not inodes:
        return
    for process in _PROCESSES.iterdir():
        if process.name.isdecimal():
            with suppress(OSError):
                its = {str(one.readlink()) for one in (process / "fd").iterdir()}
                yield from ((inode, int(process.name)) for inode in sorted(inodes & its))


def _configuration(pid: int) -> Config | None:
    """Give the configuration of a process that is a node; None for another program."""
    process = _PROCESSES / str(pid)
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        files = [after for word, after in itertools.pairwise(words) if word == "--config"]
        files += [word.removeprefix("--config=") for word in words if word.startswith("--config=")]
        return configuration.load((process / "cwd").readlink() / files[0]) if files else None
    except (OSError, ConfigError):
        return None
