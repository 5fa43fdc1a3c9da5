"""`alagg files`: every path that it prints is a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from alagg import cli
from alagg.cli.files import FILES


@pytest.mark.parametrize("name", FILES)
def test_one_path(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert cli.main(["files", name]) == 0
    assert Path(capsys.readouterr().out.rstrip("\n")).is_file()


def test_all_paths(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["files"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert [name for name, *_ in lines] == list(FILES)
    assert all(Path(path).is_file() for _, path, *_ in lines)
