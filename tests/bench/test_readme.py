"""The published figures are those of the result files that are kept beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import readme
from bench.readme import BEGIN, END, PUBLISHED, everything, main, placed
from bench.results import read, write

if TYPE_CHECKING:
    from pathlib import Path

    from bench.results import Results

@pytest.fixture
def run() -> Results:
    return read(next(PUBLISHED.glob("*.json")))


def test_the_published_figures_are_true(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().out


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
    assert main(["--check"]) == 1
    assert page.read_text() == f"{BEGIN}{END}"
    assert main([]) == 0
    assert "kernel MPTCP" in page.read_text()
    assert main(["--check"]) == 0
    capsys.readouterr()
    assert main([str(tmp_path / "none.json")]) == 1
    assert "FileNotFoundError" in capsys.readouterr().err
    (tmp_path / "old.json").write_text('{"format": 2}')
    assert main([str(tmp_path / "old.json")]) == 1
    assert "its format is 2" in capsys.readouterr().err


def test_several_runs_are_published_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Results) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"{BEGIN}{END}")
    monkeypatch.setattr(readme, "PAGES", {page: readme.goals})
    files = [tmp_path / f"{number}.json" for number in range(3)]
    for number, file in enumerate(files):
        write(file, {**run, "started": f"2030-01-0{3 - number}", "commit": f"commit{number}"})
    assert main([str(file) for file in files]) == 0
    text = page.read_text()
    assert "Goals, 3 runs; median and range of the runs:" in text
    assert 0 < text.index("commit2") < text.index("commit1") < text.index("commit0")


def test_every_table_is_there_with_command_and_machine(run: Results) -> None:
    text = everything([{**run, "failures": ["soak is not measured: no root"]}])
    for shown in ("End to end", "The engine alone", "Goals", "Soak", "Not measured: soak", f"`{run['command']}`",
                  run["machine"]["processor"], run["commit"]):
        assert shown in text


def test_a_busy_machine_is_told(run: Results) -> None:
    def shown(load: float) -> str:
        return readme.origin({**run, "end_to_end": {"veth": {"figures": {"others_load": {"0": load}}}}})

    assert "Others used up to 50% of the processors meanwhile" in shown(0.5)
    assert "Others used" not in shown(0.05)
