"""`alagg reload`: waits for the node's answer, shows it, and fails where the node refused."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest

from alagg import cli
from alagg.cli import reload
from alagg.control.client import ControlError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A node that gives this answer, or fails with its error."""
    answer: dict[str, Any] = {}

    def request(path: Path, command: str, timeout: float = 5.0) -> dict[str, Any]:
        assert str(path) == "/tmp/two.sock"
        if command == "status":
            return {"pid": 4711}
        assert command == "reload"
        if "error" in answer:
            raise ControlError(f"the node at {path} refuses: {answer['error']}")
        return answer

    monkeypatch.setattr(reload, "request", request)
    return answer


def run() -> int:
    return cli.main(["reload", "--socket", "/tmp/two.sock"])


def test_answer(node: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    node.update(ok=True, text="1 peer over 2 links")
    node.update(warnings=["[alagg] queue has changed; that takes effect after a restart"])
    assert run() == 0
    assert capsys.readouterr().out.splitlines() == [
        "warning: [alagg] queue has changed; that takes effect after a restart",
        "reloaded: 1 peer over 2 links",
    ]


def test_wrong_file_is_status_1(node: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    node.update(error="/etc/alagg/a.cfg: [alagg] queue = x: allowed: a whole number")
    assert run() == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "alagg: the node at /tmp/two.sock refuses: /etc/alagg/a.cfg: [alagg] queue = x: allowed: a whole number\n"
    )


def test_node_that_knows_no_reload_gets_a_signal(
    node: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *what: killed.append(what))
    node.update(error="unknown request 'reload'; allowed: status")
    assert run() == 0
    assert killed == [(4711, signal.SIGHUP)]
    assert "in its log only" in capsys.readouterr().out


def test_wrong_file_is_told_where_the_node_would_only_log_it(
    node: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config_file: Path
) -> None:
    monkeypatch.setattr(os, "kill", pytest.fail)
    node.update(error="unknown request 'reload'; allowed: status")
    config_file.write_text("[alagg]\nqueue = x\n")
    assert cli.main(["reload", "--socket", "/tmp/two.sock", "--config", str(config_file)]) == 2
    assert "there is no peer" in capsys.readouterr().err
