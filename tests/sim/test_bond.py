"""The schedulers that measure join links of any kind, lose and repeat nothing, and keep the order."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alagg.engine.state import BLOCKED
from tests.sim import snapshot
from tests.sim.bond import MBIT, RUNS, SIZE, Line, Result, connected, measure, show

MEASURING = ("adaptive", "latency")
ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def results() -> list[Result]:
    return [measure(*run) for run in RUNS]


@pytest.mark.slow
def test_table_is_as_it_was(results: list[Result]) -> None:
    snapshot.check("bond", show(results))


def test_manual_has_the_same_table() -> None:
    """Its first column has another form; all others, by line, are what is stored."""
    rows = [line.split("|")[2:-1] for line in (ROOT / "docs/bond.md").read_text().splitlines() if " @ " not in line]
    told = [[cell.strip() for cell in row] for row in rows if row and row[0].strip() in MEASURING]
    stored = (ROOT / "tests/sim/snapshots/bond.txt").read_text().splitlines()[1:]
    assert told == [line.split()[-7:] for line in stored]


@pytest.mark.slow
def test_goals(results: list[Result]) -> None:
    for result in results:
        assert result.of_best > 0.97, result
        assert result.light[:3] == (0, 0, 0), result
        if len(result.lines) == 2 and result.lines[0].mbit == result.lines[1].mbit:
            assert result.share > 0.97, result


lines = st.builds(Line, st.sampled_from([1.0, 3.0, 6.0]), st.sampled_from([4, 20, 60, 150]))


@settings(max_examples=8, deadline=None)
@given(
    lines=st.lists(lines, min_size=1, max_size=4), scheduler=st.sampled_from(MEASURING), seed=st.integers(0, 99),
    load=st.sampled_from([0.3, 0.8, 1.5]), cut=st.floats(0.1, 0.5),
    what=st.sampled_from(["", "pull", "block", "slow"]),
)  # fmt: skip
def test_nothing_twice_and_nothing_lost_but_what_was_dropped_with_a_name(
    lines: list[Line], scheduler: str, seed: int, load: float, cut: float, what: str
) -> None:
    network, one, two = connected(tuple(lines), scheduler, seed)
    count = int(load * sum(line.mbit for line in lines) * MBIT / (SIZE + 44) * 0.6)
    stream = network.stream(one, two, count=count, interval=0.6 / count, size=SIZE)
    peer = one.endpoint.peers[two.name]
    if what and len(lines) > 1:
        network.at(network.now + cut, lambda: trouble(what))

    def trouble(what: str) -> None:
        if what == "pull":
            network.cables[0].pull()
        elif what == "block":
            peer.hold(one.link(network.cables[0]), BLOCKED, "enough", network.now)
        else:
            network.cables[0].change(rate=lines[0].mbit * 3e5)

    network.run(network.now + 3.0)
    report = stream.report()
    sender = peer.sender
    assert sender.late is not None
    assert report.duplicated == 0
    assert sender.waiting == 0
    dropped = sender.late.queue.dropped_full + sender.late.queue.dropped_delay
    assert sender.captured == sender.sent + dropped + sender.dropped_full + sender.dropped_no_link
    if what != "pull":
        assert report.lost == dropped + sender.dropped_full
    for pacer in sender.late.pacers.values():
        assert pacer.gauge is not None
        assert len(pacer.gauge.sent) < 1000
