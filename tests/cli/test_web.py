"""`alagg web`: what is missing or wrong is named in one line, before anything is served."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from alagg import cli
from alagg.cli import web
from alagg.control import logs
from alagg.historyconfig import DEFAULT_FILE
from alagg.webconfig import WebConfig


def test_no_extra(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> None:
        raise ModuleNotFoundError(name="fastapi.responses")

    monkeypatch.setattr(web, "importlib", SimpleNamespace(import_module=missing))
    assert cli.main(["web"]) == 1
    told = capsys.readouterr().err
    assert "package fastapi is not installed" in told
    assert "pip install '.[web]'" in told


@pytest.fixture(autouse=True)
def _no_log(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the tests' own log as it is."""
    monkeypatch.setattr(logs, "set_up", lambda *_: None)


def test_no_token(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "alagg.cfg"
    file.write_text(
        "[peer office]\ndestinations = 10.99.0.2\n[link fibre]\ninterface = eth0\nmac = 52:54:00:12:34:56\n"
        f"[web]\ntoken_file = {tmp_path}/web.token\n"
    )
    assert cli.main(["web", "--config", str(file)]) == 2
    assert capsys.readouterr().err == (
        f"alagg: {file}: [web] token_file = {tmp_path}/web.token: cannot be read: No such file or directory; "
        "allowed: a file with the token\n"
    )


def test_without_a_file_the_defaults_hold(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from alagg.web import server  # noqa: PLC0415 - fastapi, which the others do without

    told: list[object] = []

    def run(*options: object) -> int:
        told.extend(options)
        return 0

    monkeypatch.setattr(server, "run", run)
    assert cli.main(["web", "--socket", f"{tmp_path}/a.sock"]) == 0
    assert (told[0], *told[2:]) == (WebConfig(), tmp_path / "a.sock", Path(DEFAULT_FILE))
