"""`alagg monitor`: a terminal, the extra and a node are needed, and what is missing is named in one line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from alagg import cli
from alagg.cli import monitor

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "_is_terminal", lambda: True)


def test_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["monitor"]) == 1
    assert capsys.readouterr().err == "alagg: monitor needs a terminal; alagg status shows the same once\n"


@pytest.mark.usefixtures("terminal")
def test_no_extra(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textual.app", None)
    monkeypatch.delitem(sys.modules, "alagg.monitor.app", raising=False)
    assert cli.main(["monitor"]) == 1
    assert "pip install '.[monitor]'" in capsys.readouterr().err


@pytest.mark.usefixtures("terminal")
def test_no_node(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["monitor", "--socket", str(tmp_path / "x.sock")]) == 1
    assert "no node listens" in capsys.readouterr().err


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("option", [[], ["--ascii"]])
def test_it_runs(monkeypatch: pytest.MonkeyPatch, option: list[str]) -> None:
    from alagg.monitor import app  # noqa: PLC0415 - textual, which the others do without
    from alagg.monitor.draw import ASCII_BARS, BARS  # noqa: PLC0415

    seen: list[Any] = []
    monkeypatch.setattr(monitor, "request", lambda *_: {})
    monkeypatch.setattr(app.Monitor, "run", lambda self: seen.append(self._bars))
    assert cli.main(["monitor", *option]) == 0
    assert seen == [ASCII_BARS if option else BARS]
