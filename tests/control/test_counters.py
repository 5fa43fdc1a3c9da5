"""The one table of counters: complete, without contradictions, and what the manual shows."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.control.counters import COUNTER, GAUGE, STATES, SUM, TABLES, TEXT, find, markdown
from alagg.engine import state
from tests.memory_net import Net

if TYPE_CHECKING:
    from collections.abc import Iterator

MANUAL: Final = Path(__file__).parents[2] / "docs" / "operations.md"
OF_MEMORY: Final = frozenset({"refused", "lost", "dropped"})
"""What only the edges in memory count."""


@pytest.mark.parametrize("table", TABLES)
def test_the_manual_shows_the_table(table: str) -> None:
    assert markdown(table) in MANUAL.read_text(encoding="utf-8"), "python -m alagg.control.counters writes them anew"


@pytest.mark.parametrize("table", TABLES)
def test_lines_are_whole(table: str) -> None:
    counters = TABLES[table]
    assert len({counter.name for counter in counters}) == len(counters)
    for counter in counters:
        assert counter.help
        assert counter.kind in (COUNTER, GAUGE, TEXT)
        assert bool(counter.unit) == (counter.kind != TEXT), counter.name
        assert counter.merge == SUM or counter.kind != COUNTER, f"{counter.name}: counters add up"


def test_families_are_found() -> None:
    found = find("link", "malformed_bad_checksum")
    assert found is not None
    assert found.name == "malformed_REASON"
    assert find("link", "malformed") != found
    assert find("link", "nonsense") is None
    assert find("nonsense", "name") is None


def test_every_state_of_the_engine_has_its_place() -> None:
    assert set(state.STATES) == set(STATES)
    assert STATES[0] == state.UP


def tables(status: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "node", status
    for one in status["links"]:
        yield "link", one
        yield "recent", one["recent"]
    for peer in status["peers"]:
        yield "peer", peer
        yield "tx", peer["tx"]
        yield "rx", peer["rx"]
    for place in ("capture", "injector", "drops"):
        yield place, status[place]


def test_everything_that_a_status_tells_has_its_line(tmp_path: Path) -> None:
    net = Net(tmp_path)
    net.run(0.5)
    for table, values in tables(net.a.worker.snapshot()):
        assert {name for name in values if find(table, name) is None} <= OF_MEMORY, table
    net.close()
