"""`alagg support`: one archive for its owner alone, without a secret, whatever runs here."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import pytest

from alagg import cli
from alagg.support import gathering

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: Sequence[str], _: float) -> str:
        return f"{command[0]} 8.8.8.8 token: abcdef"

    monkeypatch.setattr(gathering, "run", run)


def config(folder: Path) -> Path:
    file = folder / "alagg.cfg"
    file.write_text("[alerts]\nwebhook = https://hooks.example/secret-path\nhalf edited [")
    return file


@pytest.mark.parametrize("option", [[], ["--keep-addresses"]])
def test_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str], option: list[str]) -> None:
    path = tmp_path / "a.tar.gz"
    assert cli.main(["support", str(path), "--config", str(config(tmp_path)), *option]) == 0
    assert str(path) in capsys.readouterr().out
    assert path.stat().st_mode & 0o777 == 0o600
    with tarfile.open(path) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
        texts = [opened.read().decode() for member in archive if (opened := archive.extractfile(member))]
    assert {"README.txt", "alagg.cfg", "check.txt", "status.json", "ip-link.txt"} <= set(names)
    assert all("secret-path" not in text and "abcdef" not in text for text in texts)
    assert any("8.8.8.8" in text for text in texts) == bool(option)


def test_what_is_there_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_text("mine")
    assert cli.main(["support", str(path), "--socket", str(tmp_path / "x.sock")]) == 1
    assert capsys.readouterr().err == f"alagg: {path}: cannot be written: File exists; allowed: a new file\n"
    assert path.read_text() == "mine"
