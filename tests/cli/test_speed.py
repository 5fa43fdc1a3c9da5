"""`alagg speed`: what it asks the node, what it says before and after, and its exit status."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg import cli
from alagg.cli import speed

if TYPE_CHECKING:
    from pathlib import Path

FIBRE = {"link": "fibre", "seconds": 1.0, "bytes": 1_250_000, "held_back": 0, "sent_bps": 10_000_000, "loss": 0.25,
         "arrived_bps": 7_500_000}  # fmt: skip
DEAD = {**FIBRE, "link": "copper", "bytes": 0, "sent_bps": 0, "loss": None, "arrived_bps": None,
        "reason": "down: no carrier"}  # fmt: skip


def node(monkeypatch: pytest.MonkeyPatch, *links: dict[str, Any]) -> list[str]:
    """Have a node that has tried these links; give what it was asked."""
    asked: list[str] = []
    bond = {"arrived_bps": 7_500_000, "bytes": 1_250_000, "links": list(links)} if len(links) > 1 else None

    def lines(_path: Path, command: str, **_: float) -> Any:
        asked.append(command)
        yield {"phase": ["fibre"], "share": 0.5}
        yield {"done": True, "peer": "office", "scheduler": "redundant", "links": list(links), "bond": bond}

    monkeypatch.setattr(speed, "lines", lines)
    return asked


def test_table_and_its_cost(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = node(monkeypatch, FIBRE, DEAD)
    assert cli.main(["speed", "office", "--rate", "10mbit", "--seconds", "1"]) == 0
    assert json.loads(asked[0].removeprefix("speed ")) == {
        "peer": "office", "link": None, "seconds": 1.0, "rate": 10_000_000
    }  # fmt: skip
    said = capsys.readouterr()
    assert said.err == "This sends up to 1.2 MB on each link, and once more on all together.\n"
    lines = [line.split() for line in said.out.splitlines()]
    assert lines[2] == ["fibre", "10.0", "7.5", "25.0%", "1.2"]
    assert lines[3] == ["copper", "0.0", "-", "-", "0.0", "down:", "no", "carrier"]
    assert lines[-1] == ["the", "bond", "(redundant)", "7.5", "1.2"]


def test_json_of_one_link(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    node(monkeypatch, FIBRE)
    assert cli.main(["speed", "--link", "fibre", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["links"], found["bond"]) == ([FIBRE], None)


def test_nothing_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    node(monkeypatch, DEAD)
    assert cli.main(["speed", "office"]) == 1


@pytest.mark.parametrize("flags", [["--seconds", "31"], ["--rate", "20"], ["--rate", "20gbit"], ["--rate", ""]])
def test_wrong_line(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["speed", "office", *flags]) == 2
    assert "allowed: " in capsys.readouterr().err
