"""The snapshot: the keys that others rely on, and values that follow what happened."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg.control import snapshot
from alagg.control.snapshot import parts, whole
from alagg.engine.endpoint import Endpoint
from alagg.engine.header import SIZE
from alagg.engine.peer import NodeSettings
from alagg.ports.memory import MemoryCapture, MemoryInjector, MemoryPort
from alagg.settings import peer_settings
from tests.engine.helpers import ONE, TWO, batch, data_frames, frame, networks, numbered
from tests.memory_net import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alagg.engine.link import Link


class Bench:
    """An endpoint with two peers, of which the second has two links, and the edges of a worker."""

    def __init__(self, directory: Path) -> None:
        peers = {"home": ("192.0.2.1", ("eth9",)), "office": (ONE, ("eth0", "eth1"))}
        self.config = write_config(directory / "node.cfg", peers)
        self.endpoint = Endpoint(NodeSettings(0xABCD), peer_settings(self.config), networks(TWO), 0.0)
        self.capture, self.injector = MemoryCapture(), MemoryInjector()
        self.ports: dict[Link, MemoryPort | None] = {}

    def link(self, name: str) -> Link:
        links = [link for peer in self.endpoint.peers.values() for link in peer.links.values()]
        return next(link for link in links if link.name == name)

    def open(self, name: str, mtu: int = 1500) -> None:
        link = self.link(name)
        self.ports[link] = MemoryPort(mtu)
        self.endpoint.link_changed(link, is_open=True, mtu=mtu, reason="", now=0.0)

    def snapshot(self) -> dict[str, Any]:
        found = whole(self.parts())
        assert json.loads(json.dumps(found)) == found, "must pass through JSON as it is"
        return found

    def parts(self) -> list[dict[str, Any]]:
        found = list(parts(self.endpoint, self.config, self.ports.get, [self.capture], self.injector))
        assert [last for _, last in found] == [False] * (len(found) - 1) + [True]
        return [part for part, _ in found]

    def close(self) -> None:
        for port in self.ports.values():
            if port is not None:
                port.close()
        self.capture.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def test_keys_of_the_contract_are_there(bench: Bench) -> None:
    found = bench.snapshot()
    assert [peer["name"] for peer in found["peers"]] == ["home", "office"]
    for peer in found["peers"]:
        assert {"captured", "sent"} <= peer["tx"].keys()
        assert {"passed", "discarded", "out_of_order", "rogue", "lost", "resets"} <= peer["rx"].keys()
    for link in found["links"]:
        wanted = {"name", "peer", "state", "rtt_ms", "loss", "tx_frames", "tx_bytes", "rx_frames", "rx_bytes"}
        assert wanted <= link.keys()
    assert [(link["name"], link["peer"]) for link in found["links"]] == [
        ("eth9", "home"), ("eth0", "office"), ("eth1", "office"),
    ]
    assert found["epoch"] == 0xABCD
    assert {"capture", "injector"} <= found.keys()


def test_link_shows_its_state_and_what_it_carried(bench: Bench) -> None:
    bench.open("eth0")
    bench.endpoint.handle_timer(0.0)
    bench.endpoint.link_changed(bench.link("eth1"), is_open=False, mtu=1500, reason="no carrier", now=0.0)
    bench.endpoint.send(numbered(range(3), destination=ONE), 0.0)
    bench.link("eth0").settle(4)  # a HELLO, a small probe, a large one, and the first packet
    bench.endpoint.settle()
    found = bench.snapshot()
    one, other = found["links"][1:]
    assert (one["state"], one["mtu"], one["tx_frames"], one["tx_dropped_full"]) == ("new", 1500, 4, 2)
    assert (one["sends_by"], one["sends_by_reason"]) == ("memory", "")
    hello = bench.endpoint.peers["office"].dialogue.introduction(bench.link("eth0"))
    assert one["tx_bytes"] == SIZE + len(hello) + 2 * SIZE + 8 + 24 + 1500
    assert (one["refused"], one["lost"]) == (0, 0), "an open port's own counters"
    assert (other["state"], other["reason"], other["rtt_ms"], other["loss"]) == ("down", "no carrier", None, None)
    assert "refused" not in other
    tx = found["peers"][1]["tx"]
    assert (tx["captured"], tx["sent"], tx["waiting"]) == (3, 1, 2)


def test_peer_shows_what_it_received(bench: Bench) -> None:
    bench.open("eth0")
    frames = data_frames([0, 1, 1, 3])
    damaged = frames[0][:-1] + b"?"
    foreign = frame(4, numbered([4], source="203.0.113.1")[0], link_sequence=5)
    bench.endpoint.receive(bench.link("eth0"), *batch([*frames, damaged, b"short", foreign]), 0.0)
    found = bench.snapshot()
    rx, link = found["peers"][1]["rx"], found["links"][1]
    assert (rx["frames"], rx["passed"], rx["discarded"], rx["lost"], rx["held"]) == (5, 4, 1, 1, 2)
    assert rx["reorder_timeout_ms"] > 0
    assert (link["rx_frames"], link["malformed"]) == (5, 2)
    assert (link["malformed_bad_checksum"], link["malformed_truncated"]) == (1, 1)
    assert link["rx_bytes"] == sum(map(len, [*frames, foreign]))
    bench.endpoint.flush(0.0)
    rx = bench.snapshot()["peers"][1]["rx"]
    assert (rx["held"], rx["delivered"], rx["refused_foreign_source"]) == (0, 3, 1)


def test_many_links_come_in_parts(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker moves packets between two parts: each is a bounded piece of work."""
    at_once = bench.snapshot()
    monkeypatch.setattr(snapshot, "PART", 1)
    found = bench.parts()
    assert [[link["name"] for link in part["links"]] for part in found] == [["eth9"], ["eth0", "eth1"], []]
    assert whole(found) == at_once
