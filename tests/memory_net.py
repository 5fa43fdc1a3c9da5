"""Workers face to face: real poll loops on edges in memory, and a clock that only tests move."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from alagg.config import Config, load
from alagg.messages import HostFacts, InterfaceFacts
from alagg.ports.faults import Faults
from alagg.ports.memory import MemoryCapture, MemoryInjector, MemoryPort
from alagg.worker import Worker
from tests.accounts import assert_accounted
from tests.engine.helpers import ONE, ONE6, TWO, TWO6, networks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from alagg.ports.base import Port
    from alagg.ports.udpport import Place

MAC: Final = bytes.fromhex("020000000001")
"""The address of every link's other end."""
SETTLED: Final = 20
"""Rounds of every loop after which nothing moves any more."""


class Clock:
    """The time, in seconds."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Wire:
    """One link between two workers; each end is opened by its worker, as often as it likes."""

    def __init__(self, mtu: int = 1500) -> None:
        self.mtu = mtu
        self.ends: dict[str, MemoryPort] = {}
        self.opened: dict[str, int] = {}
        self.refuse: OSError | None = None
        """What opening an end fails with."""
        self.faults: dict[str, float] = {}

    def open(self, name: str, seed: int, remotes: Sequence[bytes]) -> Port:
        if self.refuse is not None:
            raise self.refuse
        port = MemoryPort(self.mtu, MAC)
        port.set_remotes(remotes)
        for other, end in self.ends.items():
            if other != name:
                port.peer, end.peer = end, port
        self.ends[name] = port
        self.opened[name] = self.opened.get(name, 0) + 1
        return Faults(port, random.Random(seed), **self.faults) if self.faults else port


class Node:
    """A worker with edges in memory."""

    def __init__(self, name: str, config: Config, epoch: int, wires: Mapping[str, Wire], clock: Clock) -> None:
        self.name = name
        self.wires = dict(wires)
        self.capture = MemoryCapture()
        self.injector = MemoryInjector()
        self.seed = epoch
        self.worker = Worker(config, epoch, [self.capture], self.injector, self._open, clock)

    def facts(self, local: Sequence[str], *, index: int = 1, **reasons: str) -> None:
        """Say that all interfaces are there, except those with a reason; `missing` is a reason, too."""
        interfaces = {
            name: InterfaceFacts(index, wire.mtu, reasons.get(name, ""))
            for name, wire in self.wires.items() if reasons.get(name) != "missing"
        }
        self.worker.take_facts(HostFacts(interfaces, networks(*local)))

    def packets(self) -> list[bytes]:
        return self.injector.take()

    def _open(self, config: Config, interface: str | Place, remotes: Sequence[bytes]) -> Port:
        return self.wires[str(interface)].open(self.name, self.seed, remotes)


def settle(*nodes: Node) -> None:
    """Let every loop do rounds, without time passing, until all that can move has moved."""
    for _ in range(SETTLED):
        for node in nodes:
            node.worker.step(0)


def run(clock: Clock, seconds: float, *nodes: Node) -> None:
    """Let time pass."""
    for _ in range(round(seconds / 0.01)):
        clock.now += 0.01
        for node in nodes:
            node.worker.step(0)
    settle(*nodes)


def write_config(path: Path, peers: Mapping[str, tuple[str, Sequence[str]]], **options: str) -> Config:
    """Write and load a configuration file.

    Args:
        peers: for each peer its destinations and its links' interfaces.
        options: of the section [alagg].
    """
    lines = ["[alagg]", f"control_socket = {path.with_suffix('.sock')}"]
    lines += [f"{key} = {value}" for key, value in options.items()]
    for peer, (destinations, interfaces) in peers.items():
        lines += [f"[peer {peer}]", f"destinations = {destinations}"]
        for interface in interfaces:
            lines += [f"[link {interface}]", f"peer = {peer}", f"interface = {interface}", f"mac = {MAC.hex(':')}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load(path)


def snapshot_of(node: Node) -> dict[str, Any]:
    """Give a node's snapshot, after holding it to the identities that must hold at any time."""
    snapshot = node.worker.snapshot()
    assert_accounted(snapshot)
    return snapshot


class Net:
    """Two nodes, `a` and `b`, joined by two links, `eth0` and `eth1`."""

    def __init__(self, directory: Path, **faults: dict[str, float]) -> None:
        self.directory = directory
        self.clock = Clock()
        self.wires = {"eth0": Wire(), "eth1": Wire()}
        for name, values in faults.items():
            self.wires[name].faults = values
        self.a = Node("a", self.config("a"), 0xA, self.wires, self.clock)
        self.b = Node("b", self.config("b"), 0xB, self.wires, self.clock)
        self.a.facts([ONE, ONE6])
        self.b.facts([TWO, TWO6])
        settle(self.a, self.b)

    def config(self, name: str, *interfaces: str, **options: str) -> Config:
        destinations = f"{TWO}, {TWO6}" if name == "a" else f"{ONE}, {ONE6}"
        peers = {"peer": (destinations, interfaces or ("eth0", "eth1"))}
        return write_config(self.directory / f"{name}.cfg", peers, **options)

    def run(self, seconds: float) -> None:
        run(self.clock, seconds, self.a, self.b)

    def exchange(self, packets: list[bytes]) -> list[bytes]:
        self.a.capture.put(packets)
        settle(self.a, self.b)
        return self.b.packets()

    def close(self) -> None:
        for node in (self.a, self.b):
            node.worker.running = False
            node.worker.run()
