"""Tables in narrow terminals: every figure stays whole."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table

from alagg.columns import fit

FIGURES = {f"{number},{number}00,000" for number in range(1, 9)}


def shown(width: int) -> list[str]:
    table = Table(title="Title")
    table.add_column("traffic", no_wrap=True)
    for name in ("lost\nwithout", "lost\nwith", "gap\nwithout", "gap\nwith"):
        table.add_column(name, justify="right", no_wrap=True)
    numbers = sorted(FIGURES)
    table.add_row("one", *numbers[:4])
    table.add_row("other", *numbers[4:])
    text = io.StringIO()
    console = Console(file=text, width=width)
    for one in fit(table, console):
        console.print(one)
    return text.getvalue().splitlines()


@pytest.mark.parametrize("width", range(24, 90))
def test_no_width_costs_a_figure(width: int) -> None:
    lines = shown(width)
    assert max(map(len, lines)) <= width
    assert set(" ".join(lines).replace("\u2502", " ").split()) >= FIGURES


def test_a_wide_terminal_gets_the_table_as_it_is() -> None:
    assert any("\u2502" in line for line in shown(80))


def test_what_has_no_room_as_it_is_loses_its_frame_and_then_is_turned() -> None:
    assert any(line.split() == ["one", "1,100,000", "2,200,000", "3,300,000", "4,400,000"] for line in shown(50))
    assert any(line.split() == ["lost", "without", "1,100,000", "5,500,000"] for line in shown(34))
