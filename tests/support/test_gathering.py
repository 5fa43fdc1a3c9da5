"""Gathering: each answer has a bound, and what cannot be had is told in its place."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from alagg.support import gathering
from tests.web.fake_node import FakeNode

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest


def test_everything_is_there_and_nothing_is_needed(tmp_path: Path) -> None:
    asked: list[Sequence[str]] = []

    def run(command: Sequence[str], seconds: float) -> str:
        asked.append(command)
        return "said"

    config = tmp_path / "alagg.cfg"
    found = dict(gathering.everything(config, tmp_path / "none.sock", run))
    assert found["alagg.cfg"] == f"{config}: No such file or directory\n"
    assert found["status.json"].startswith("no node listens at ")
    assert found["check.txt"] == found["ip-rule.txt"] == "said"
    assert found["versions.txt"].startswith("alagg ")
    assert len(asked) == 1 + len(gathering.COMMANDS)
    assert "check.txt" not in dict(gathering.everything(None, tmp_path / "none.sock", run))


def test_node_s_status(tmp_path: Path) -> None:
    node = FakeNode(tmp_path / "alagg.sock")
    try:
        assert json.loads(gathering.status(node.path)) == node.says
    finally:
        node.close()


def test_commands() -> None:
    python = sys.executable
    assert gathering.run([python, "-c", "print('a')"], 20) == "a\n"
    assert gathering.run([python, "-c", "raise SystemExit('no')"], 20) == "no\n[exit status 1]\n"
    assert gathering.run(["/no/such/program"], 20) == "/no/such/program: No such file or directory\n"
    assert gathering.run(["sleep", "20"], 0.05).endswith("[not finished within 0.05 s]\n")


def test_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "LIMIT", 10)
    assert gathering.run(["echo", "0123456789abcdef"], 20) == "[7 bytes before]\n789abcdef\n"
    (tmp_path / "a").write_text("0123456789abcdef")
    assert gathering.read(tmp_path / "a") == "0123456789"
