"""The command line of the benchmarks."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

import pytest

from alagg import form
from alagg.lab.namespace import LabError
from bench import __main__ as command
from bench import end_to_end, engine
from bench.results import FORMAT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.__main__ import Course
    from bench.results import Results


def test_the_engine_alone_needs_no_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                        capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(engine, "PACKETS", 128)
    monkeypatch.setitem(command.REPEATS, "quick", 1)
    file = tmp_path / "deep" / "result.json"
    assert command.main(["engine", "--quick", "--output", str(file)]) == 0
    results = json.loads(file.read_text())
    assert results["format"] == FORMAT
    assert results["engine"]["form"] == form.engine()
    assert results["command"] == f"python -m bench engine --quick --output {file}"
    assert results["failures"] == []
    assert "end_to_end" not in results
    shown = capsys.readouterr().out
    assert "redundant on two links, out" in shown
    assert "engine's cost per packet" in shown
    assert "kernel MPTCP" not in shown


def test_unknown_contestants_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["end-to-end", "--contestants=veth,pigeon"])
    assert ended.value.code == 2
    assert "pigeon: no such contestant; allowed: veth, mptcp, wireguard-go" in capsys.readouterr().err


def test_only_what_is_built_is_held_against(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--against", str(tmp_path)])
    assert ended.value.code == 2
    assert "no built alagg; run make build there" in capsys.readouterr().err


def fail(*_: object) -> None:
    raise LabError("the lab [sic] needs root")


def test_a_failure_is_one_line_and_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(command.PARTS, "soak", fail)
    assert command.main(["soak", "--output", str(tmp_path / "result.json")]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "bench: soak is not measured: the lab [sic] needs root"
    assert not list(tmp_path.iterdir())


def plan(monkeypatch: pytest.MonkeyPatch, *names: str, last: Callable[[Course], None]) -> None:
    """Let a whole run be these parts, each of which notes its name, and a last one."""
    def noting(name: str) -> Callable[[Course], None]:
        return lambda course: course.results.update({name: 1})

    monkeypatch.setattr(command, "PARTS", {**{name: noting(name) for name in names}, "last": last})
    monkeypatch.setitem(command.PLANS, "all", (names[0], "last", *names[1:]))


def test_a_part_that_fails_does_not_take_the_others_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan(monkeypatch, "first", "third", last=fail)
    file = tmp_path / "result.json"
    assert command.main(["--output", str(file)]) == 1
    results = json.loads(file.read_text())
    assert (results["first"], results["third"]) == (1, 1)
    assert results["failures"] == ["last is not measured: the lab [sic] needs root"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_keeps_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
                                             capsys: pytest.CaptureFixture[str], number: signal.Signals) -> None:
    tidied: list[str] = []

    def interrupted(_: object) -> None:
        try:
            os.kill(os.getpid(), number)
            pytest.fail("nobody was interrupted")
        finally:
            os.kill(os.getpid(), number)
            tidied.append("all")

    plan(monkeypatch, "first", "third", last=interrupted)
    file = tmp_path / "result.json"
    before = signal.getsignal(number)
    assert command.main(["--output", str(file)]) == command.INTERRUPTED
    assert signal.getsignal(number) is before
    results = json.loads(file.read_text())
    assert results["first"] == 1
    assert "third" not in results
    assert tidied == ["all"]
    assert str(file) in capsys.readouterr().out.replace("\n", "")


def test_an_interruption_keeps_the_rounds_that_there_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_entries: object, _plan: object, into: Results, **_: object) -> None:
        into["veth"] = {"title": "bare", "figures": {"tcp_bit_per_s": {"0": 1e9}}}
        raise KeyboardInterrupt

    monkeypatch.setattr(end_to_end, "run", run)
    file = tmp_path / "result.json"
    assert command.main(["end-to-end", "--output", str(file)]) == command.INTERRUPTED
    assert json.loads(file.read_text())["end_to_end"]["veth"]["figures"]["tcp_bit_per_s"] == {"0": 1e9}


def test_a_quick_run_leaves_out_what_takes_long() -> None:
    assert set(command.PLANS["all"]) == set(command.PARTS)
    assert set(command.PLANS["quick"]) < set(command.PARTS)
