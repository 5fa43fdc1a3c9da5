"""What `alagg ping` and `alagg speed` share."""

from __future__ import annotations

import argparse

import pytest

from alagg.cli.trying import bar, number, rounded, table


def test_numbers_have_bounds() -> None:
    assert number(1, 10, int)("7") == 7
    for wrong in ("0", "11", "x", "nan", "1.5"):
        with pytest.raises(argparse.ArgumentTypeError, match="allowed: 1 to 10"):
            number(1, 10, int)(wrong)
    with pytest.raises(argparse.ArgumentTypeError):
        number(1, 10)("nan")


def test_table_has_columns_and_cuts_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    table(["link", "ms", ""], [["fibre", "1.000", "a long reason " * 9], ["x", "12", ""]])
    lines = capsys.readouterr().out.splitlines()
    assert [line[:12].split() for line in lines] == [["link", "ms"], ["fibre", "1.000"], ["x", "12"]]
    assert "a long reason " * 8 in lines[1]


def test_figures_that_are_not_known() -> None:
    assert (rounded(None, 1), rounded(1234.56, 1)) == ("-", "1,234.6")


def test_bar_shows_nothing_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with bar(1.0, "trying") as tell:
        tell(0.5, "fibre")
    assert capsys.readouterr() == ("", "")
