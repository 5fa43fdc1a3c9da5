"""The published figures are those of the result file that is kept beside them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from bench import readme
from bench.readme import BEGIN, END, ROOT, everything, main, placed

if TYPE_CHECKING:
    from pathlib import Path

RESULT = ROOT / "docs" / "bench" / "result.json"


@pytest.fixture
def values() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))
    return found


def test_the_published_figures_are_true(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(RESULT), "--check"]) == 0, capsys.readouterr().out


def test_only_what_stands_between_the_markers_changes() -> None:
    page = f"# Title\n{BEGIN}\nold\n{END}\nend\n"
    assert placed(page, "new") == f"# Title\n{BEGIN}\n\nnew\n\n{END}\nend\n"
    assert placed(placed(page, "new"), "new") == placed(page, "new")


@pytest.mark.parametrize("page", ["", BEGIN, END + BEGIN, BEGIN + END + BEGIN, BEGIN + END + END])
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="needs one"):
        placed(page, "new")


def test_pages_are_written_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}{END}")
    monkeypatch.setattr(readme, "PAGES", {page: readme.goals})
    assert main([str(RESULT), "--check"]) == 1
    assert page.read_text() == f"{BEGIN}{END}"
    assert main([str(RESULT)]) == 0
    assert "kernel MPTCP" in page.read_text()
    assert main([str(RESULT), "--check"]) == 0
    capsys.readouterr()
    assert main([str(tmp_path / "none.json")]) == 1
    assert "FileNotFoundError" in capsys.readouterr().err
    (tmp_path / "old.json").write_text('{"format": 2}')
    assert main([str(tmp_path / "old.json")]) == 1
    assert "its format is 2" in capsys.readouterr().err


def test_every_table_is_there_with_command_and_machine(values: dict[str, Any]) -> None:
    text = everything({**values, "failures": ["soak is not measured: no root"]})
    for shown in ("End to end", "Growth, the engine alone", "Goals", "Losses", "Not measured: soak",
                  f"`{values['command']}`", values["machine"]["processor"], values["commit"]):
        assert shown in text


def test_a_busy_machine_is_told(values: dict[str, Any]) -> None:
    def shown(load: float) -> str:
        return readme.origin({**values, "end_to_end": {"veth": {"figures": {"others_load": {"median": load}}}}})

    assert "Others used up to 50% of the processors meanwhile" in shown(0.5)
    assert "Others used" not in shown(0.05)


def test_what_was_not_measured_is_not_hidden(values: dict[str, Any]) -> None:
    row = {"what": "speed of light", "goal": "≥ 1 x", "unit": "x", "measured": None, "spread": None, "repeats": 0,
           "verdict": "not measured"}
    assert "| speed of light | ≥ 1 x | - | not measured |" in readme.goals({**values, "goals": [row]})
