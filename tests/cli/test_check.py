"""`alagg check`: each finding with its mend, and an exit status that scripts can use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg import cli
from alagg.system import doctor
from alagg.system.doctor import Finding

if TYPE_CHECKING:
    from pathlib import Path

OK = Finding("ok", "eth0 is up", "")
WARN = Finding("warn", "eth1 has MTU 1280", "raise it")
WAIT = Finding("wait", "link one: no answer", "does the node run there?")
FAIL = Finding("fail", "eth2 is missing", "plug it in")


@pytest.mark.parametrize(
    ("findings", "status", "verdict"),
    [
        ([OK], 0, "ready"),
        ([OK, WARN], 0, "ready, 1 to look at"),
        ([OK, WAIT], 0, "ready, waiting for the peer: start it there, too, and check again"),
        ([OK, WARN, WAIT], 0, "ready, 1 to look at, waiting for the peer: start it there, too, and check again"),
        ([OK, WARN, WAIT, FAIL], 1, "not ready: 1 to mend, 1 to look at"),
        ([OK, WARN, FAIL], 1, "not ready: 1 to mend, 1 to look at"),
    ],
)
def test_findings(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    config_file: Path,
    findings: list[Finding],
    status: int,
    verdict: str,
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _: findings)
    assert cli.main(["check", "--config", str(config_file)]) == status
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"ok    {config_file}: 1 peer, 2 links"
    assert lines[1] == "ok    eth0 is up"
    assert lines[-1] == verdict
    assert ("      -> plug it in" in lines) == (FAIL in findings)


def test_doctor_is_another_name_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config_file: Path
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _: [WARN])
    assert [cli.main([name, "--config", str(config_file)]) for name in ("check", "doctor")] == [0, 0]
    said = capsys.readouterr().out
    assert said[: len(said) // 2] == said[len(said) // 2 :]


def test_wrong_configuration_is_status_2(capsys: pytest.CaptureFixture[str], config_file: Path) -> None:
    config_file.write_text("[alagg]\nqueue = x\n")
    assert cli.main(["check", "--config", str(config_file)]) == 2
    assert capsys.readouterr().out == ""
