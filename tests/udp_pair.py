"""Two workers face to face over UDP on the loopback interface: real sockets, and a clock that only tests move.

`hub` waits on 127.0.0.1 (or ::1) for `spoke`, which knows where it is. The loopback interface hands over at once.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Final

from alagg.config import load
from alagg.messages import HostFacts
from alagg.ports.memory import MemoryCapture, MemoryInjector
from alagg.ports.udpport import Place, UdpPort
from alagg.worker import Worker
from tests.engine.helpers import ONE, TWO, networks
from tests.memory_net import Clock, run, settle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from alagg.config import Config
    from alagg.ports.base import Port

MARK: Final = 0xA1A6
LOCAL: Final = {ONE: TWO, TWO: ONE}


def free_port(host: str = "127.0.0.1") -> int:
    """Give a UDP port that nobody has."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


class Node:
    """A worker with UDP ports of its own, captures and injects in memory."""

    def __init__(self, config: Config, epoch: int, local: Sequence[str], clock: Clock) -> None:
        self.capture = MemoryCapture()
        self.injector = MemoryInjector()
        self.worker = Worker(config, epoch, [self.capture], self.injector, _open, clock)
        self.worker.take_facts(HostFacts({}, networks(*local)))

    def packets(self) -> list[bytes]:
        return self.injector.take()

    def link(self, name: str = "wan") -> dict[str, Any]:
        """Give what a status says of a link."""
        return next(link for link in self.worker.snapshot()["links"] if link["name"] == name)

    def drops(self) -> dict[str, int]:
        found: dict[str, int] = self.worker.snapshot()["drops"]
        return found

    def port(self) -> UdpPort:
        """Give the only port."""
        (slot,) = self.worker.slots.values()
        assert isinstance(slot.port, UdpPort)
        return slot.port

    def move(self) -> None:
        """Exchange the only port for one with another number: so a NAT looks that has forgotten a mapping."""
        (slot,) = self.worker.slots.values()
        self.worker._close(slot)
        self.worker._apply_facts(slot, self.worker.clock())


def _open(config: Config, where: str | Place, remotes: Sequence[bytes]) -> Port:
    assert isinstance(where, Place)
    return UdpPort(where, MARK)


class Pair:
    """The hub at ONE, the spoke at TWO."""

    def __init__(self, directory: Path, host: str = "127.0.0.1", options: str = "", remote: str = "") -> None:
        self.clock = Clock()
        shown = f"[{host}]" if ":" in host else host
        self.place = f"{shown}:{free_port(host)}"
        self.directory = directory
        self.hub = Node(self.config("hub", TWO, f"local = {self.place}"), 0xA, [ONE], self.clock)
        self.spoke = self.another(f"remote = {remote or self.place}{options}")

    def another(self, link: str, epoch: int = 0xB) -> Node:
        """Give another node that says it is the hub's peer."""
        return Node(self.config("spoke", ONE, link), epoch, [TWO], self.clock)

    def restart(self, link: str, epoch: int = 0xB) -> None:
        """End the spoke, and start another one."""
        self.spoke.worker.running = False
        self.spoke.worker.run()
        self.spoke = self.another(link, epoch)

    def config(self, name: str, destination: str, link: str) -> Config:
        path = self.directory / f"{name}.cfg"
        path.write_text(
            f"[alagg]\ncontrol_socket = {path.with_suffix('.sock')}\nmanage_host = no\n"
            f"[peer far]\ndestinations = {destination}\n[link wan]\ntype = udp\n{link}\n",
            encoding="utf-8",
        )
        return load(path)

    def run(self, seconds: float) -> None:
        run(self.clock, seconds, self.hub, self.spoke)  # type: ignore[arg-type]

    def run_alone(self, seconds: float) -> None:
        """Let time pass for the hub, whose peer has ended."""
        run(self.clock, seconds, self.hub)  # type: ignore[arg-type]

    def settle(self) -> None:
        settle(self.hub, self.spoke)  # type: ignore[arg-type]

    def close(self) -> None:
        for node in (self.hub, self.spoke):
            node.worker.running = False
            node.worker.run()
