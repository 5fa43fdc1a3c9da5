"""`alagg alert test`: everybody whom the configuration names is tried, and each result is a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg import cli

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alagg.control.logs.set_up", lambda *_: None)


def alerts(config_file: Path, *lines: str) -> list[str]:
    config_file.write_text("\n".join((config_file.read_text(), "[alerts]", *lines, "")))
    return ["alert", "test", "--config", str(config_file)]


def test_each_is_told(config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = alerts(config_file, "log = yes", f"command = /usr/bin/tee {tmp_path}/said")
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.splitlines() == ["ok    log", "ok    command"]
    assert "this is a test; nothing is wrong" in (tmp_path / "said").read_text()


def test_who_cannot_be_told_is_named_and_the_others_are_told(
    config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = alerts(config_file, f"command = /usr/bin/tee {tmp_path}/said", "webhook = http://127.0.0.1:1/")
    assert cli.main(arguments) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok    command", "fail  webhook: http://127.0.0.1:1/: [Errno 111] Connection refused",
    ]  # fmt: skip


def test_nobody_to_tell_is_one_line(config_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["alert", "test", "--config", str(config_file)]) == 1
    assert capsys.readouterr().err.endswith("alagg.cfg: [alerts] names nobody: log, command, webhook, email\n")


def test_action_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["alert"]) == 2
    assert "ACTION" in capsys.readouterr().err
