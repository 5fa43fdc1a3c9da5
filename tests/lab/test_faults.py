"""The fault matrix: how outcomes are judged and shown, and one fault for real."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from alagg.lab import faults
from alagg.lab.faults import FAULTS, Outcome
from alagg.lab.measure import Stream
from alagg.lab.topology import Lab


def stream(lost: int = 0, duplicated: int = 0, gap: float = 0.01, rtt: float | None = 0.001) -> Stream:
    return Stream(
        sent=100, received=100 - lost, duplicated=duplicated, out_of_order=1, refused=2, longest_gap=gap,
        rtt_p50=rtt, rtt_p99=rtt,
    )


def test_the_matrix_has_every_fault_and_leaves_one_link_whole() -> None:
    assert set(FAULTS) == {"clean", "cut", "loss", "fast-loss", "reorder", "corrupt", "duplicate"}
    for fault in FAULTS.values():
        second = fault.second
        assert (second.loss, second.corrupt, second.duplicate, second.cut) == (0, 0, 0, False)


@pytest.mark.parametrize(
    ("joined", "passed"), [(stream(), True), (stream(lost=1), False), (stream(duplicated=1), False)]
)
def test_an_outcome_passes_if_nothing_was_lost_or_repeated(joined: Stream, passed: bool) -> None:  # noqa: FBT001
    assert Outcome("loss", stream(lost=50, duplicated=9), joined).passed is passed


def test_streams_add_up() -> None:
    seen = faults.together([stream(lost=3, gap=0.5), stream(duplicated=2, rtt=0.2), stream(rtt=None)])
    assert (seen.sent, seen.lost, seen.duplicated, seen.out_of_order, seen.refused) == (300, 3, 2, 3, 6)
    assert (seen.longest_gap, seen.rtt_p50, seen.rtt_p99) == (0.5, 0.2, 0.2)
    assert faults.together([stream(rtt=None)]).rtt_p50 is None


def test_the_table_names_fault_and_verdict() -> None:
    console = Console(file=io.StringIO(), width=80)
    harmed = Outcome("cut", stream(), stream(lost=1))
    console.print(faults.table([Outcome("loss", stream(lost=40), stream()), harmed]))
    assert isinstance(console.file, io.StringIO)
    loss, cut = [line for line in console.file.getvalue().splitlines() if "100" in line]
    assert "loss " in loss
    assert "40" in loss
    assert "ok" in loss
    assert "FAILED" in cut


@pytest.mark.parametrize(("seconds", "text"), [(None, "-"), (0.0123, "12.3 ms"), (3.0712, "3071 ms")])
def test_times_for_people(seconds: float | None, text: str) -> None:
    assert faults.milliseconds(seconds) == text


@pytest.mark.netns
@pytest.mark.parametrize("name", FAULTS)
def test_without_alagg_each_fault_shows(name: str) -> None:
    with Lab(links=2, emulated=True) as lab:
        seen = faults.pings(lab, FAULTS[name], count=80, interval=0.005)
    harm = {
        "cut": seen.lost, "loss": seen.lost, "fast-loss": seen.lost, "reorder": seen.out_of_order,
        "corrupt": seen.lost, "duplicate": seen.duplicated,
    }
    assert harm.get(name, 1) > 0
    assert name != "clean" or seen.lost == seen.duplicated == 0


@pytest.mark.netns
def test_a_fault_is_run_without_alagg_and_with_it() -> None:
    outcome = faults.run("loss", count=100)
    assert outcome.without.lost > 0
    assert outcome.passed, outcome
