"""The command line of the benchmarks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from alagg import form
from alagg.lab.namespace import LabError
from bench import __main__ as command
from bench import engine, growth
from bench.goals import GOALS

if TYPE_CHECKING:
    from pathlib import Path


def test_the_engine_alone_needs_no_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(engine, "PACKETS", 128)
    monkeypatch.setattr(growth, "PACKETS", 128)
    monkeypatch.setitem(command.REPEATS, "quick", 1)
    file = tmp_path / "deep" / "result.json"
    assert command.main(["engine", "--quick", "--output", str(file)]) == 0
    results = json.loads(file.read_text())
    assert results["format"] == command.FORMAT
    assert results["engine"]["form"] == form.engine()
    assert results["command"] == f"python -m bench engine --quick --output {file}"
    assert [row["axis"] for row in results["growth"]][:2] == ["base", "links"]
    assert len(results["goals"]) == len(GOALS)
    assert "end_to_end" not in results
    assert (file.with_suffix("") / "growth.svg").exists()
    assert "whole, out" in capsys.readouterr().out


def test_unknown_contestants_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["end-to-end", "--contestants=veth,pigeon"])
    assert ended.value.code == 2
    assert "pigeon: no such contestant; allowed: veth, mptcp, wireguard-go" in capsys.readouterr().err


def test_a_failure_is_one_line_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    def fail(*_: object) -> None:
        raise LabError("the lab [sic] needs root")

    monkeypatch.setattr(command, "measure", fail)
    assert command.main(["--output", str(tmp_path / "result.json")]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "bench: the lab [sic] needs root"
    assert not list(tmp_path.iterdir())
