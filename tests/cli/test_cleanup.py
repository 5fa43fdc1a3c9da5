"""`alagg cleanup`: says what it undid, and fails when something stays."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from alagg import cli
from alagg.system.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_nothing_to_undo(capsys: pytest.CaptureFixture[str], config_file: Path) -> None:
    assert cli.main(["cleanup", "--config", str(config_file)]) == 0
    assert capsys.readouterr().out == "nothing to undo\n"


def test_file_that_is_half_edited(capsys: pytest.CaptureFixture[str], config_file: Path) -> None:
    config_file.write_text(config_file.read_text() + "[link\nnonsense\n")
    config_file.with_name("alagg.journal").touch(mode=0o600)
    assert cli.main(["cleanup", "--config", str(config_file)]) == 0
    assert not config_file.with_name("alagg.journal").exists()


def test_socket_instead_of_a_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["cleanup", "--socket", str(tmp_path / "two.sock")]) == 0
    assert capsys.readouterr().out == "nothing to undo\n"


def test_what_was_undone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config_file: Path
) -> None:
    monkeypatch.setattr(Journal, "undo", lambda _: ["removed rule: one", "removed rule: two"])
    assert cli.main(["cleanup", "--config", str(config_file)]) == 0
    assert capsys.readouterr().out == "removed rule: one\nremoved rule: two\n"


def test_socket_of_a_killed_node(capsys: pytest.CaptureFixture[str], config_file: Path) -> None:
    path = config_file.with_name("alagg.sock")
    with socket.socket(socket.AF_UNIX) as node:
        node.bind(str(path))
        node.listen()
        assert cli.main(["cleanup", "--config", str(config_file)]) == 1
        assert "another node listens here" in capsys.readouterr().err
        assert path.exists()
    assert cli.main(["cleanup", "--config", str(config_file)]) == 0
    assert capsys.readouterr().out == f"removed socket: {path}\n"
    assert not path.exists()


def test_what_cannot_be_undone(capsys: pytest.CaptureFixture[str], config_file: Path) -> None:
    path = config_file.with_name("alagg.journal")
    path.write_text('{"kind": "bogus", "facts": {}}\n')
    path.chmod(0o600)
    assert cli.main(["cleanup", "--config", str(config_file)]) == 1
    captured = capsys.readouterr()
    assert "could not undo bogus" in captured.out
    assert captured.err == f"alagg: 1 not undone; {path} keeps all for another try\n"
    assert path.exists()


def test_node_that_runs_is_left_alone(config_file: Path) -> None:
    journal = Journal(config_file.with_name("alagg.journal"))
    journal.acquire()
    # From another process, as the lock is the process's.
    command = [sys.executable, "-m", "alagg", "cleanup", "--config", str(config_file)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert str(os.getpid()) in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    journal.undo()
