"""`alagg ping`: what it asks the node, what it shows, and its exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg import cli
from alagg.cli import ping

if TYPE_CHECKING:
    from pathlib import Path

ONE = {"link": "fibre", "sent": 2, "received": 2, "loss": 0.0, "min_ms": 0.3, "avg_ms": 0.4, "max_ms": 0.5}
NONE = {"sent": 2, "received": 0, "loss": 1.0, "min_ms": None, "avg_ms": None, "max_ms": None}
DEAD = {"link": "copper", **NONE, "reason": "blocked: by the operator"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give what a node was asked, which answers with `answers`, exchanged by the test."""
    return node(monkeypatch, [ONE, DEAD], {**ONE})


def node(monkeypatch: pytest.MonkeyPatch, links: list[dict[str, Any]], bond: dict[str, Any] | None) -> list[str]:
    asked: list[str] = []

    def lines(_path: Path, command: str, **_: float) -> Any:
        asked.append(command)
        yield {"round": 1, "of": 2, "link": "fibre", "rtt_ms": 0.3}
        yield {"done": True, "peer": "office", "links": links, "bond": bond}

    monkeypatch.setattr(ping, "lines", lines)
    return asked


def test_table(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ping", "office", "--count", "2", "--link", "fibre", "--size", "900"]) == 0
    assert json.loads(asked[0].removeprefix("ping ")) == {
        "peer": "office", "link": "fibre", "count": 2, "interval": 0.2, "size": 900
    }  # fmt: skip
    assert [line.split() for line in capsys.readouterr().out.splitlines()[2:]] == [
        ["fibre", "2", "2", "0.0%", "0.300", "0.400", "0.500"],
        ["copper", "2", "0", "100.0%", "-", "-", "-", "blocked:", "by", "the", "operator"],
        ["the", "bond", "2", "2", "0.0%", "0.300", "0.400", "0.500"],
    ]


def test_json(asked: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ping", "--json"]) == 0
    assert json.loads(asked[0].removeprefix("ping "))["peer"] == ""
    assert json.loads(capsys.readouterr().out) == {"peer": "office", "links": [ONE, DEAD], "bond": ONE}


def test_nothing_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    node(monkeypatch, [DEAD], None)
    assert cli.main(["ping", "office"]) == 1


def test_node_ends_meanwhile(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(ping, "lines", lambda *_, **__: iter([]))
    assert cli.main(["ping", "office"]) == 1
    assert "the node has ended" in capsys.readouterr().err


@pytest.mark.parametrize("flags", [["--count", "0"], ["--interval", "0.001"], ["--size", "x"]])
def test_wrong_line(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["ping", "office", *flags]) == 2
    assert "allowed: " in capsys.readouterr().err
