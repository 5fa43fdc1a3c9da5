"""Carried: a worker tells what its links with a cap have carried, some at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from alagg.carried import AT_ONCE, Carried, carried
from alagg.config import load
from alagg.engine.link import Link

if TYPE_CHECKING:
    from pathlib import Path

    from alagg.config import Config
    from alagg.engine.events import LinkCarried


class Bench:
    """Stands for a worker."""

    def __init__(self, folder: Path, count: int = 1) -> None:
        self.folder, self.count = folder, count
        self.told: list[tuple[str, int]] = []
        self.links: dict[str, Link] = {f"l{number}": Link(number, f"l{number}", 1500) for number in range(count)}
        self.endpoint: Any = self
        self.settings: Any = self
        self.peers = {"office": self}
        self.lane = 0
        self.config = self.write("1GB/day")
        self.carried = Carried(self)  # type: ignore[arg-type]

    def write(self, cap: str) -> Config:
        text = "[peer office]\ndestinations = 10.99.0.2\n"
        for number in range(self.count):
            text += f"[link l{number}]\ninterface = e{number}\nmac = 02:00:00:00:00:01\ncap = {cap}\n"
        path = self.folder / "alagg.cfg"
        path.write_text(text)
        return load(path)

    def on_event(self, event: LinkCarried, lane: int) -> None:
        assert (event.peer, lane) == ("office", 0)
        self.told.append((event.link, event.size))

    def look(self) -> list[tuple[str, int]]:
        self.carried.look()
        told, self.told = self.told, []
        return told


def test_both_ways_are_told_with_their_headers_and_only_when_they_grow(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    assert bench.look() == []
    link = bench.links["l0"]
    link.rx_bytes, link.rx_frames = 1000, 2
    link.tx_bytes, link.tx_frames = 500, 1
    assert bench.look() == [("l0", 1500 + 3 * 14)]
    assert bench.look() == []


@pytest.mark.parametrize(("local", "header"), [("127.0.0.1:7311", 28), ("[::1]:7311", 48)])
def test_carrier_of_a_udp_link_counts_ip_packets(tmp_path: Path, local: str, header: int) -> None:
    path = tmp_path / "alagg.cfg"
    path.write_text(f"[peer a]\ndestinations = 10.99.0.2\n[link wan]\ntype = udp\nlocal = {local}\ncap = 1GB/day\n")
    link = Link(0, "wan", 1500)
    link.rx_frames = 1
    assert carried(load(path).links[0], link) == header


def test_link_is_counted_from_when_it_gets_its_cap(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.config = bench.write("")
    bench.links["l0"].rx_bytes = 1000
    assert bench.look() == []
    bench.config = bench.write("1GB/day")
    assert bench.look() == []
    bench.links["l0"].rx_bytes += 7
    assert bench.look() == [("l0", 7)]
    bench.config = bench.write("2GB/day")
    bench.links["l0"].rx_bytes += 1
    assert bench.look() == [("l0", 8)]


def test_many_are_told_of_in_turns(tmp_path: Path) -> None:
    bench = Bench(tmp_path, count=AT_ONCE + 3)
    for link in bench.links.values():
        link.rx_bytes = 1
    assert len(bench.look()) == AT_ONCE
    for link in bench.links.values():
        link.rx_bytes = 2
    assert {name for name, _ in bench.look()[:3]} == {"l16", "l17", "l18"}
