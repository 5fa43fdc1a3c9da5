"""`alagg lab`: its grammar, its exit status, and the guide that `up` prints."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from alagg.cli import main
from alagg.lab import cli, demo, faults, scenarios
from alagg.lab.faults import FAULTS
from alagg.lab.measure import Stream, Transfer
from alagg.lab.namespace import environment, python
from alagg.lab.record import Record
from alagg.lab.scenarios import SCENARIOS, Outcome, Step, Verdict
from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

CLEAN = Stream(sent=9, received=9, duplicated=0, out_of_order=0, refused=0, longest_gap=0.01)
LOSSY = Stream(sent=9, received=7, duplicated=0, out_of_order=0, refused=0, longest_gap=0.01)


@pytest.mark.parametrize(
    "line",
    [
        "lab", "lab dance", "lab fault", "lab fault fire", "lab faults --count 0", "lab up --links 0",
        "lab up --links many", "lab demo now", "lab run", "lab run fire",
    ],
)
def test_a_wrong_line_is_one_line_and_status_2(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(line.split()) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_without_root_it_says_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert main(["lab", "demo"]) == 1
    assert capsys.readouterr().err.startswith("alagg: the lab makes network namespaces and so needs root")


@pytest.mark.parametrize("passed", [True, False])
def test_the_demonstration_decides_the_status(passed: bool, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: FBT001
    def run(_console: Console) -> bool:
        return passed

    monkeypatch.setattr(demo, "run", run)
    assert main(["lab", "demo"]) == (0 if passed else 1)


def test_one_bad_fault_decides_the_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, int]] = []

    def run(name: str, *, count: int) -> faults.Outcome:
        asked.append((name, count))
        return faults.Outcome(name, LOSSY, LOSSY if name == "corrupt" else CLEAN)

    monkeypatch.setattr(faults, "run", run)
    assert main(["lab", "fault", "loss"]) == 0
    assert main(["lab", "faults", "--count", "7"]) == 1
    assert asked == [("loss", 400), *((name, 7) for name in FAULTS)]
    assert "FAILED" in capsys.readouterr().out


def test_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lab", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if not line.startswith(" ")] == list(SCENARIOS)


def test_missed_goal_decides_the_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asked: list[Step] = []

    def run(name: str, changes: list[Step]) -> Verdict:
        asked.extend(changes)
        scenario = SCENARIOS[name]
        figures = tuple((goal, goal.most + (name == "silent")) for goal in scenario.goals)
        return Verdict(name, Outcome(CLEAN, Transfer(9, 9, True, 1.0, 0.01), Record()), figures)

    monkeypatch.setattr(scenarios, "run", run)
    (tmp_path / "trace").write_text("0.5 1e6  # a slow second\n\n1.5 0\n")
    assert main(["lab", "run", "pulled", "--trace", str(tmp_path / "trace")]) == 0
    assert [(step.at, step.says) for step in asked] == [(0.5, "eth0: 1 Mbit/s"), (1.5, "eth0: 0 Mbit/s")]
    assert "FAILED" not in capsys.readouterr().out
    assert main(["lab", "run", "silent"]) == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("text", [None, "now 5", "1", "1 2 3", "1 -5", "2 5\n1 5", "1 inf", "nan 1"])
def test_trace_that_cannot_be_read_is_one_line(
    text: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if text is not None:
        (tmp_path / "trace").write_text(text)
    assert main(["lab", "run", "pulled", "--trace", str(tmp_path / "trace")]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("alagg: --trace: ")
    assert text is None or f"line {len(text.splitlines())}: " in line


def test_plot_without_what_draws_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "alagg.lab.plot", raising=False)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["lab", "run", "pulled", "--plot", "x.svg"]) == 1
    assert capsys.readouterr().err == "alagg: --plot needs matplotlib; install alagg[plot]\n"


@pytest.mark.netns
def test_the_guide_names_what_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    lab = Lab(links=2, lans=True)
    guide = cli._guide(lab, lans=True, nodes=True)
    for host in (*lab.hosts, lab.lan_a, lab.lan_b):
        assert f"ip netns exec {host.name} bash" in guide
    assert f"status --config {lab.a.node.config}" in guide
    assert "status" not in cli._guide(lab, lans=False, nodes=False)


@pytest.mark.netns
def test_up_starts_nodes_and_ctrl_c_ends_it_all_with_status_0() -> None:
    with subprocess.Popen(python("alagg", "lab", "up"), env=environment(), stdout=subprocess.PIPE) as process:
        assert process.stdout
        lines = [process.stdout.readline() for _ in range(7)]
        assert b"alagg status" in lines[-1], lines
        command = lines[-1].decode().split("#")[0].split()[1:]
        status = subprocess.run(python("alagg", *command), env=environment(), capture_output=True, check=False)
        assert b"eth1" in status.stdout, status
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    assert process.returncode == 0
