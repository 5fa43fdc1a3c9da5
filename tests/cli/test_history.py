"""`alagg history`: the report or all samples, of the time that is asked for; one line where there is no history."""

from __future__ import annotations

import json
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from alagg import cli
from alagg.cli import history
from alagg.history.writer import Writer
from tests.history.helpers import MB, changed, sample

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def kept(config_file: Path, tmp_path: Path) -> Path:
    """Give a configuration whose node has kept the last minute."""
    path = tmp_path / "history.db"
    config_file.write_text(f"{config_file.read_text()}[history]\nkeep = yes\nfile = {path}\n")
    now = int(time.time())
    with closing(Writer(path, 4 * MB)) as writer:
        for second in range(now - 60, now):
            writer.write(second, {("office", "fibre"): sample()})
        writer.write(now, {}, [changed(now - 30, "down", "fibre", "no carrier"), changed(now - 20, "up", "fibre")])
    return config_file


def test_report(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["history", "--config", str(kept), "--since", "5min"]) == 0
    first, _, head, row, _, fault = capsys.readouterr().out.splitlines()
    assert first.startswith("from 20")
    assert head.split()[:4] == ["link", "peer", "up", "RTT"]
    assert row.split()[:5] == ["fibre", "office", "100", "%", "1.50"]
    assert fault.endswith("  link fibre to office is down: no carrier (10 s)")


def test_all_samples_as_json(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["history", "--json", "--config", str(kept), "--since", "30s"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["step"] == 1
    assert 25 <= len(found["links"][0]["time"]) <= 31
    assert [event["state"] for event in found["events"]][-1] == "up"


def test_until(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["history", "--config", str(kept), "--since", "2h", "--until", "1h"]) == 0
    assert "no link was seen" in capsys.readouterr().out


def test_without_a_file_the_usual_place_is_read(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(history, "DEFAULT_FILE", str(tmp_path / "history.db"))
    assert cli.main(["history"]) == 0
    assert "fibre" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--since", "1h"], 1, "there is no history; [history] keep = yes has the node keep one"),
        (["--since", "1h", "--until", "2h"], 1, "--since: is not before --until"),
        (["--since", "once"], 2, "argument --since: allowed: yesterday, today, a time ago such as 30min"),
    ],
)
def test_what_cannot_be_answered_is_one_line(
    arguments: list[str], status: int, said: str, config_file: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    config_file.write_text(f"{config_file.read_text()}[history]\nfile = {tmp_path}/none.db\n")
    assert cli.main(["history", "--config", str(config_file), *arguments]) == status
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
