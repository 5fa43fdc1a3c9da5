"""A table, on the terminal and as Markdown."""

from __future__ import annotations

from rich.console import Console

from bench.sheet import Sheet

SHEET = Sheet("Goals [sic]", ("what", "measured", "verdict"),
              [("TCP [one]", "1.00 x", "met"), ("UDP", "-", "missed")], words=("verdict",))


def test_markdown() -> None:
    assert SHEET.markdown().splitlines() == [
        "Goals [sic]:", "", "| what | measured | verdict |", "| --- | ---: | --- |", "| TCP [one] | 1.00 x | met |",
        "| UDP | - | missed |",
    ]


def test_terminal() -> None:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(SHEET.rich())
    lines = capture.get().splitlines()
    assert lines[0].strip() == "Goals [sic]"
    assert "│ TCP [one] │   1.00 x │ met     │" in lines
