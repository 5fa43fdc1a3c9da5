"""`alagg status`: JSON as it came, rates from two looks, the socket from wherever it was named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg import cli
from alagg.cli import status

if TYPE_CHECKING:
    from pathlib import Path

ANSWER: dict[str, Any] = {
    "version": "1.2.3",
    "pid": 7,
    "peers": [],
    "links": [{"name": "fibre", "state": "up", "tx_bytes": 1000, "rx_bytes": 0}],
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    seen: list[tuple[str, str]] = []

    def answer(socket_path: Path, command: str) -> dict[str, Any]:
        seen.append((str(socket_path), command))
        return ANSWER

    monkeypatch.setattr(status, "request", answer)
    monkeypatch.setattr(status, "_INTERVAL", 0.001)
    return seen


def test_json(asked: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == ANSWER
    assert asked == [("/run/alagg/alagg.sock", "status")]


def test_metrics(asked: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--metrics"]) == 0
    assert 'alagg_link_tx_bytes_total{link="fibre",peer=""} 1000.0\n' in capsys.readouterr().out


def test_tables(asked: list[tuple[str, str]], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status", "--socket", "/tmp/other.sock"]) == 0
    assert "no link is bad (of 1)" in capsys.readouterr().out
    assert asked == [("/tmp/other.sock", "status")] * 2


def test_socket_from_the_configuration(asked: list[tuple[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "alagg.cfg"
    path.write_text(
        "[alagg]\ncontrol_socket = /run/alagg/two.sock\n[peer office]\ndestinations = 10.99.0.2\n"
        "[link fibre]\ninterface = eth0\nmac = 52:54:00:12:34:56\n"
    )
    assert cli.main(["status", "--json", "--config", str(path)]) == 0
    assert asked == [("/run/alagg/two.sock", "status")]


def test_socket_from_a_file_that_is_half_edited(asked: list[tuple[str, str]], tmp_path: Path) -> None:
    path = tmp_path / "alagg.cfg"
    path.write_text("[alagg]\ncontrol_socket = /run/alagg/two.sock\nqueue = x\n[peer\n")
    assert cli.main(["status", "--json", "--config", str(path)]) == 0
    assert asked == [("/run/alagg/two.sock", "status")]


def test_rates() -> None:
    before = {"links": [{"name": "a", "tx_bytes": 1000, "rx_bytes": 500}, {"name": "b", "tx_bytes": 9}]}
    after = {
        "links": [
            {"name": "a", "tx_bytes": 2000, "rx_bytes": 500},
            {"name": "b", "tx_bytes": 0, "rx_bytes": 0},  # the node started anew
            {"name": "c", "tx_bytes": 5, "rx_bytes": 5},  # the link is new
        ]
    }
    assert status._rates(before, after, 0.5) == {"a": (16000.0, 0.0), "b": (0.0, 0.0), "c": (0.0, 0.0)}
