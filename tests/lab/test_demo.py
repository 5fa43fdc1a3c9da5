"""The demonstration: its verdict, its table, and the whole of it for real."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from alagg.lab import demo
from alagg.lab.demo import Round
from alagg.lab.measure import Stream, Transfer


def made_up(lost: int = 0, duplicated: int = 0, *, intact: bool = True, missing: int = 0) -> Round:
    stream = Stream(
        sent=700, received=700 - lost, duplicated=duplicated, out_of_order=0, refused=0, longest_gap=0.02
    )
    transfer = Transfer(sent=9000, received=9000 - missing, intact=intact, seconds=1, longest_stall=0.5)
    return Round({"ping IPv4": stream}, {"TCP IPv4": transfer})


def shown(without: Round, joined: Round) -> tuple[bool, str]:
    console = Console(file=io.StringIO(), width=80)
    console.print(demo.table(without, joined))
    passed = demo.verdict(console, without, joined)
    assert isinstance(console.file, io.StringIO)
    return passed, console.file.getvalue()


def test_it_passes_if_only_the_run_without_alagg_was_harmed() -> None:
    passed, text = shown(made_up(lost=123), made_up())
    assert passed
    assert "cost 123 of 700 messages without alagg" in text
    assert "TCP stood still for 0.5 s" in text


@pytest.mark.parametrize("joined", [made_up(lost=1), made_up(duplicated=1), made_up(intact=False)])
def test_it_fails_if_anything_was_harmed_with_alagg(joined: Round) -> None:
    passed, text = shown(made_up(lost=123), joined)
    assert not passed
    assert "FAILED" in text


def test_it_fails_if_the_fault_did_no_harm_without_alagg() -> None:
    passed, text = shown(made_up(), made_up())
    assert not passed
    assert "proves nothing" in text


def test_the_table_fits_a_terminal_and_says_what_is_missing() -> None:
    _, text = shown(made_up(lost=123), made_up(intact=False))
    assert "…" not in text
    assert max(map(len, text.splitlines()[:12])) <= 80
    assert "damaged" in text
    assert "4321" in shown(made_up(intact=False, missing=4321), made_up())[1]


@pytest.mark.netns
@pytest.mark.slow
def test_the_demonstration_passes() -> None:
    console = Console(file=io.StringIO(), width=100)
    assert isinstance(console.file, io.StringIO)
    assert demo.run(console), console.file.getvalue()
