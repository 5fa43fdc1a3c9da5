"""Many links over one interface: one port serves them all, and what befalls it befalls them all."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from alagg.config import load
from alagg.messages import HostFacts, InterfaceFacts
from alagg.ports.memory import MemoryPort
from alagg.worker import RETRY
from tests.engine.helpers import networks, numbered
from tests.memory_net import Clock, Node, run, settle, snapshot_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from alagg.config import Config
    from alagg.ports.udpport import Place

class Segment:
    """Many nodes on one Ethernet segment, each with an interface of its own: a hub that knows addresses."""

    def __init__(self) -> None:
        self.ports: dict[bytes, SegmentPort] = {}


class SegmentPort(MemoryPort):
    """A port on a segment."""

    def __init__(self, segment: Segment, address: bytes) -> None:
        super().__init__(1500, address)
        self.segment = segment
        segment.ports[address] = self

    def send(self, remote: bytes, headers: bytearray, payloads: list[bytes]) -> int:
        self.peer = self.segment.ports.get(remote)
        return super().send(remote, headers, payloads)


class Hub:
    """A node with a peer at each of some addresses, all over its only interface."""

    def __init__(self, directory: Path, count: int) -> None:
        self.clock = Clock()
        self.segment = Segment()
        self.opened = 0
        mac = "02:00:00:00:01:{:02x}".format
        self.hub = self.node("hub", mac(0), [(f"10.0.1.{n}", mac(n)) for n in range(1, count + 1)], directory)
        self.leaves = [self.node(f"leaf{n}", mac(n), [("10.0.1.0", mac(0))], directory) for n in range(1, count + 1)]
        self.nodes = [self.hub, *self.leaves]
        for number, node in enumerate(self.nodes):
            facts = HostFacts({"eth0": InterfaceFacts(1, 1500, "")}, networks(f"10.0.1.{number}"))
            node.worker.take_facts(facts)
        settle(*self.nodes)

    def node(self, name: str, mac: str, peers: list[tuple[str, str]], directory: Path) -> Node:
        lines = ["[alagg]", f"control_socket = {directory}/{name}.sock"]
        for number, (address, remote) in enumerate(peers):
            lines += [f"[peer p{number}]", f"destinations = {address}"]
            lines += [f"[link l{number}]", f"peer = p{number}", "interface = eth0", f"mac = {remote}"]
        (directory / f"{name}.cfg").write_text("\n".join(lines) + "\n", encoding="utf-8")

        def open_port(config: Config, interface: str | Place, remotes: Sequence[bytes]) -> MemoryPort:
            self.opened += 1
            port = SegmentPort(self.segment, bytes.fromhex(mac.replace(":", "")))
            port.set_remotes(remotes)
            return port

        node = Node(name, load(directory / f"{name}.cfg"), 1 + len(self.segment.ports), {}, self.clock)
        node.worker._open_port = open_port
        return node


def test_peers_over_one_interface_share_its_port(tmp_path: Path) -> None:
    net = Hub(tmp_path, 5)
    assert net.opened == 6, "one port for the hub's five links"
    sent = [
        packet for n in range(1, 6)
        for packet in numbered(range(20), source="10.0.1.0", destination=f"10.0.1.{n}")
    ]
    net.hub.capture.put(random.Random(5).sample(sent, len(sent)))
    for number, leaf in enumerate(net.leaves, 1):
        leaf.capture.put(numbered(range(100, 110), source=f"10.0.1.{number}", destination="10.0.1.0"))
    settle(*net.nodes)
    for number, leaf in enumerate(net.leaves, 1):
        assert sorted(leaf.packets()) == [packet for packet in sent if packet[16:20] == bytes((10, 0, 1, number))]
    assert len(net.hub.packets()) == 50
    rx = [peer["rx"]["passed"] for peer in snapshot_of(net.hub)["peers"]]
    assert rx == [10] * 5


def test_port_that_fails_concerns_all_links_over_it(tmp_path: Path) -> None:
    net = Hub(tmp_path, 3)
    next(iter(net.segment.ports.values())).fail()
    net.hub.worker.step(0)
    assert {(one["state"], one["reason"]) for one in snapshot_of(net.hub)["links"]} == {("down", "Network is down")}
    run(net.clock, RETRY + 0.5, *net.nodes)
    assert {one["state"] for one in snapshot_of(net.hub)["links"]} == {"up"}
    assert net.opened == 5
