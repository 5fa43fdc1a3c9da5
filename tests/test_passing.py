"""Passing: the host is told of peers that no link leads to, at once, but not more often than it can follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.config import load
from alagg.engine.events import LinkStateChanged
from alagg.passing import PAUSE, Passing
from alagg.reach import GRACE
from tests.memory_net import write_config

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from alagg.config import Config

PEERS = {"office": ("10.0.0.2", ("eth0",)), "boat": ("10.0.0.3", ("eth1",))}


class Bench:
    def __init__(self, folder: Path, **options: str) -> None:
        self.now = 100.0
        self.config: Config = write_config(folder / "node.cfg", PEERS, **options)
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.told: list[tuple[float, list[str]]] = []
        self.refuses = False
        self.passing = Passing(self.let_go, self.call_in, lambda: self.now)
        self.passing.keep(self.config)

    def let_go(self, peers: frozenset[str]) -> list[str] | None:
        self.told.append((round(self.now - 100, 3), sorted(peers)))
        return None if self.refuses else sorted(peers - {"boat"})

    def call_in(self, seconds: float, call: Callable[[], None]) -> None:
        self.timers.append((self.now + seconds, call))

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while due := [timer for timer in self.timers if timer[0] <= end]:
            first = min(due, key=lambda timer: timer[0])
            self.timers.remove(first)
            self.now = max(self.now, first[0])
            first[1]()
        self.now = end

    def hear(self, link: str, state: str) -> None:
        peer = next(one.peer for one in self.config.links if one.name == link)
        self.passing.heard(LinkStateChanged(peer, link, state, ""))


def test_a_peer_without_a_link_is_let_go_and_taken_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(tmp_path)
    bench.run(0.5)
    bench.hear("eth0", "up")
    bench.hear("eth1", "up")
    bench.run(4.5)
    assert bench.told == []
    bench.hear("eth0", "silent")
    bench.run(1.0)
    assert bench.told == [(5.0, ["office"])]
    assert bench.passing.names == ["office"]
    bench.hear("eth0", "up")
    bench.run(1.0)
    assert bench.told[1:] == [(6.0, [])]
    assert bench.passing.names == []
    assert [line.partition(":")[0] for line in caplog.messages] == ["peer office"]


def test_a_host_that_refuses_is_asked_again_and_nothing_is_told_meanwhile(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path)
    bench.run(2.0)
    assert bench.passing.names == ["office"]
    caplog.clear()
    bench.refuses = True
    bench.hear("eth0", "up")
    bench.run(1.5)
    assert (bench.passing.names, caplog.messages) == (["office"], [])
    bench.refuses = False
    bench.run(1.0)
    assert bench.passing.names == []
    assert [names for _, names in bench.told[1:]] == [["boat"]] * 3


def test_peers_that_never_came_and_many_at_once(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.run(GRACE)
    assert bench.told == [(GRACE, ["boat", "office"])]
    assert bench.passing.names == ["office"], "the host has no other way to the boat"
    bench.run(PAUSE)
    bench.hear("eth0", "up")
    bench.run(PAUSE / 2)
    bench.hear("eth1", "up")
    bench.run(PAUSE)
    assert [(round(seconds - GRACE, 3), names) for seconds, names in bench.told[1:]] == [
        (PAUSE, ["boat"]), (2 * PAUSE, []),
    ]  # fmt: skip


def test_drop_lets_nobody_go_and_a_reload_may_change_that(tmp_path: Path) -> None:
    bench = Bench(tmp_path, when_unreachable="drop")
    bench.run(9.0)
    assert bench.told == []
    path = bench.config.path
    path.write_text(path.read_text().replace("= drop", "= pass"))
    bench.passing.keep(load(path))
    bench.run(1.0)
    assert bench.told == [(9.0, ["boat", "office"])]
