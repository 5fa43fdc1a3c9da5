"""`alagg --config FILE`: hands the configuration to the node and its end to the shell."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from alagg import cli, node
from alagg.system import HostError, rights

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alagg.config import Config


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Give the loggers back as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.getLogger("alagg").setLevel(logging.NOTSET)


@pytest.mark.parametrize(("options", "level"), [([], "info"), (["--debug"], "debug")])
def test_node_gets_the_configuration(
    monkeypatch: pytest.MonkeyPatch, config_file: Path, tmp_path: Path, options: list[str], level: str
) -> None:
    def run(config: Config, pcap: Path | None) -> int:
        assert config.path == config_file
        assert config.log_level == level
        assert pcap == tmp_path / "a.pcap"
        assert logging.getLogger("alagg").level == getattr(logging, level.upper())
        return 0

    monkeypatch.setattr(node, "run", run)
    assert cli.main(["--config", str(config_file), "--pcap", str(tmp_path / "a.pcap"), *options]) == 0


def test_node_that_cannot_go_on(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], config_file: Path
) -> None:
    def run(config: Config, pcap: Path | None) -> int:
        raise HostError("the worker has died")

    monkeypatch.setattr(node, "run", run)
    assert cli.main(["--config", str(config_file)]) == 1
    assert capfd.readouterr().err == "alagg: the worker has died\n"


def test_wrong_configuration(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert cli.main(["--config", str(tmp_path / "none.cfg")]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_without_rights_it_says_so_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config_file: Path
) -> None:
    monkeypatch.setattr(rights, "lacking", lambda: ["CAP_NET_ADMIN"])
    for command in ([], ["cleanup"], ["rules", "show"]):
        assert cli.main(["--config", str(config_file), *command]) == 1
        assert capsys.readouterr().err == "alagg: this process lacks CAP_NET_ADMIN; run it as root\n"


@pytest.mark.parametrize(("pcap", "says"), [(".", "is a directory"), ("none/a.pcap", "there is no directory")])
def test_capture_file_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], config_file: Path, pcap: str, says: str
) -> None:
    assert cli.main(["--config", str(config_file), "--pcap", str(config_file.parent / pcap)]) == 1
    assert says in capsys.readouterr().err
