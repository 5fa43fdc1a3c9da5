"""`alagg rules`: shows each rule and whether it is there; installs and removes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg import cli
from alagg.system import rules

if TYPE_CHECKING:
    from pathlib import Path

    from alagg.config import Config
    from alagg.system.journal import Journal
    from alagg.system.rules import Rule


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> list[Rule]:
    """A kernel that holds rules in a list."""
    there: list[Rule] = []

    def install(config: Config, journal: Journal | None) -> None:
        assert journal is None
        there.extend(rules.wanted_rules(config))

    def missing(config: Config) -> list[Rule]:
        return [rule for rule in rules.wanted_rules(config) if rule not in there]

    monkeypatch.setattr(rules, "install", install)
    monkeypatch.setattr(rules, "remove", lambda _: there.clear())
    monkeypatch.setattr(rules, "missing", missing)
    return there


def test_rules(kernel: list[Rule], capsys: pytest.CaptureFixture[str], config_file: Path) -> None:
    def states(action: str) -> list[str]:
        assert cli.main(["rules", action, "--config", str(config_file)]) == 0
        return [line.split()[0] for line in capsys.readouterr().out.splitlines()]

    assert states("show") == ["missing", "missing"]
    assert states("install") == ["installed", "installed"]
    assert states("show") == ["installed", "installed"]
    assert states("remove") == ["missing", "missing"]


def test_rules_read_as_commands(
    kernel: list[Rule], capsys: pytest.CaptureFixture[str], config_file: Path
) -> None:
    cli.main(["rules", "show", "--config", str(config_file)])
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("missing    iptables -I OUTPUT -d 10.99.0.2/32 ")
    assert second.startswith("missing    ip6tables -I OUTPUT -d fd99::2/128 ")
