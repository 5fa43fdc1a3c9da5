"""Capping: links are counted over restarts, warned of in time, held back when used up, and free again in time."""

from __future__ import annotations

import calendar
import json
from typing import TYPE_CHECKING

import pytest

from alagg.capping import WRITE, Capping
from alagg.config import load
from alagg.engine.events import LinkCarried

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MB = 10**6
ANEW = "which begins anew on 2026-12-01"
FULL = f"has carried its 100MB/month, {ANEW}"


class Bench:
    """A node with caps, and its host's clock."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = float(calendar.timegm((2026, 11, 27, 12, 0, 0)))
        self.passed = 1000.0
        self.events: list[tuple[str, str]] = []
        self.held: list[tuple[str, str, str, str]] = []
        self.later: list[Callable[[], None]] = []
        self.capping = self.start("100MB/month")

    def start(self, wan: str, lan: str = "", when: str = "block") -> Capping:
        self.capping = Capping(self, self.write(wan, lan, when), lambda: self.now, lambda: self.passed)
        return self.capping

    def write(self, wan: str, lan: str = "", when: str = "block") -> Config:
        path = self.folder / "alagg.cfg"
        path.write_text(
            f"[alagg]\ncontrol_socket = {self.folder}/a.sock\n[peer office]\ndestinations = 10.99.0.2\n"
            f"[link wan]\ninterface = eth0\nmac = 02:00:00:00:00:01\ncap = {wan}\nwhen_capped = {when}\n"
            f"[link lan]\ninterface = eth1\nmac = 02:00:00:00:00:02\ncap = {lan}\n"
        )
        return load(path)

    def hold(self, source: str, held: list[tuple[str, str, str, str]]) -> None:
        assert source == "cap"
        self.held = held

    def call_in(self, seconds: float, call: Callable[[], None]) -> None:
        assert seconds > 0
        self.later.append(call)

    def publish(self, kind: str, text: str, **more: object) -> None:
        assert more == {"peer": "office", "link": "wan"}
        self.events.append((kind, text))

    def carry(self, size: float, worker: int = 0, link: str = "wan") -> None:
        self.capping.heard(LinkCarried("office", link, int(size)), worker)

    def look(self) -> None:
        calls, self.later = self.later, []
        for call in calls:
            call()

    @property
    def used(self) -> int:
        return self.capping.used().links["office", "wan"][0]

    @property
    def states(self) -> list[tuple[str, str]]:
        return [(state, reason) for _, _, state, reason in self.held]


if TYPE_CHECKING:
    from alagg.config import Config


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("TZ", "UTC")
    found = Bench(tmp_path)
    yield found
    found.capping.close()


def test_it_warns_once_at_eighty_per_cent_and_holds_back_at_all(bench: Bench) -> None:
    bench.carry(79 * MB)
    assert (bench.events, bench.held) == ([], [])
    bench.carry(81 * MB)
    bench.carry(82 * MB)
    assert bench.events == [("cap_near", f"link wan to office has carried 81MB, 81 % of its 100MB/month, {ANEW}")]
    assert bench.held == []
    bench.carry(100 * MB)
    assert bench.events[1:] == [("cap_reached", f"link wan to office {FULL}")]
    assert bench.states == [("capped", FULL)]


@pytest.mark.parametrize(("when", "states"), [("standby", [("standby", FULL)]), ("warn", [])])
def test_what_becomes_of_it_then(bench: Bench, when: str, states: list[tuple[str, str]]) -> None:
    bench.start("100MB/month", when=when)
    bench.carry(200 * MB)
    assert bench.states == states
    assert [kind for kind, _ in bench.events] == ["cap_reached"]


def test_several_workers_and_links_that_come_back_are_summed(bench: Bench) -> None:
    bench.carry(10 * MB)
    bench.carry(20 * MB, worker=1)
    bench.carry(15 * MB)
    bench.carry(5 * MB)  # taken away and back: from zero
    assert bench.used == 40 * MB
    bench.carry(50 * MB, link="lan")  # has no cap
    assert bench.used == 40 * MB


def test_it_is_counted_over_restarts_and_told_only_once(bench: Bench) -> None:
    bench.carry(90 * MB)
    bench.capping.close()
    bench.start("100MB/month")
    assert bench.used == 90 * MB
    bench.carry(10 * MB)
    assert [kind for kind, _ in bench.events] == ["cap_near", "cap_reached"]
    bench.capping.close()
    bench.held = []
    bench.start("100MB/month")
    assert bench.states == [("capped", FULL)]


def test_it_is_free_at_the_start_of_the_next_period(bench: Bench) -> None:
    bench.carry(100 * MB)
    bench.now += 3.5 * 86400 - 1
    bench.look()
    assert len(bench.held) == 1
    bench.now += 1
    bench.look()
    assert (bench.held, bench.used) == ([], 0)


def test_clock_that_jumps_back_frees_nothing(bench: Bench) -> None:
    bench.carry(100 * MB)
    for now in (0.0, bench.now):
        bench.now = now
        bench.look()
        assert [state for state, _ in bench.states] == ["capped"]


def test_cap_that_is_raised_frees_the_link_and_one_taken_away_forgets_nothing(bench: Bench) -> None:
    bench.carry(100 * MB)
    bench.capping.keep(bench.write("1GB/month"))
    assert bench.held == []
    bench.capping.keep(bench.write(""))
    assert bench.capping.used().links == {}
    bench.capping.keep(bench.write("100MB/month"))
    assert bench.states == [("capped", FULL)]
    bench.carry(1 * MB)  # the workers count anew from here
    assert bench.used == 101 * MB


def test_writes_are_rare_but_for_what_is_told(bench: Bench) -> None:
    texts: list[str] = []
    bench.capping._file.write = texts.append  # type: ignore[assignment, method-assign]
    for size in range(1, 50):
        bench.carry(size * MB)
        bench.look()
    assert len(texts) == 1
    bench.passed += WRITE
    bench.look()
    assert len(texts) == 2
    bench.carry(80 * MB)
    bench.look()
    assert len(texts) == 3
    bench.passed += 10 * WRITE
    bench.look()
    assert len(texts) == 3, "nothing has changed"
    assert json.loads(texts[-1])["links"][0]["used"] == {"2026-11-01": 80 * MB}


@pytest.mark.parametrize("damage", [b"", b"{", b"\xff", b"{}", b"x" * (2 << 20)])
def test_file_that_is_damaged_is_one_line_and_the_count_goes_on(
    bench: Bench, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    bench.carry(90 * MB)
    bench.capping.close()
    path = bench.folder / "a.caps"
    path.write_bytes(damage)
    caplog.clear()
    bench.start("100MB/month")
    assert caplog.messages == ([f"{path}: is damaged; caps are counted from zero"] if damage else [])
    bench.carry(7 * MB)
    bench.capping.close()
    bench.start("100MB/month")
    assert bench.used == 7 * MB


def test_without_caps_nothing_is_done(bench: Bench) -> None:
    bench.carry(1)
    bench.capping.keep(bench.write(""))
    bench.look()
    assert bench.later == []
