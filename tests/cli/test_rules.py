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


def run(capsys: pytest.CaptureFixture[str], action: str, config_file: Path) -> list[str]:
    assert cli.main(["rules", action, "--config", str(config_file)]) == 0
    return capsys.readouterr().out.splitlines()


def without_gso(config_file: Path) -> None:
    config_file.write_text(config_file.read_text().replace("[alagg]\n", "[alagg]\ngso = no\n"))


@pytest.mark.parametrize(("gso", "count"), [("yes", 4), ("no", 2)])
def test_rules(
    kernel: list[Rule], capsys: pytest.CaptureFixture[str], config_file: Path, gso: str, count: int
) -> None:
    if gso == "no":
        without_gso(config_file)

    def states(action: str) -> list[str]:
        return [line.split()[-1] for line in run(capsys, action, config_file)]

    assert states("show") == ["missing"] * count
    assert states("install") == ["installed"] * count
    assert states("show") == ["installed"] * count
    assert states("remove") == ["missing"] * count


def test_rules_read_as_commands(
    kernel: list[Rule], capsys: pytest.CaptureFixture[str], config_file: Path
) -> None:
    """Pasted from top to bottom, since each is put first; the tables are those that alagg looks into."""
    all6, tcp6, all4, tcp4 = run(capsys, "show", config_file)
    legacy = "tables-legacy -I OUTPUT -d"
    for line, rule in ((tcp4, f"ip{legacy} 10.99.0.2/32 "), (tcp6, f"ip6{legacy} fd99::2/128 ")):
        assert line.startswith(rule)
        assert line.endswith("  # missing")
        assert " -p tcp " in line
        assert "--queue-num 1025 " in line
    for line in (all4, all6):
        assert " -p " not in line
        assert "--queue-num 1 " in line


def test_without_gso_there_is_no_rule_for_tcp(
    kernel: list[Rule], capsys: pytest.CaptureFixture[str], config_file: Path
) -> None:
    without_gso(config_file)
    assert not [line for line in run(capsys, "show", config_file) if "-p tcp" in line]


def test_says_that_traffic_flows_where_only_the_rules_for_tcp_are_missing(
    kernel: list[Rule], capsys: pytest.CaptureFixture[str], config_file: Path
) -> None:
    run(capsys, "install", config_file)
    kernel[:] = [rule for rule in kernel if rule.protocol != "tcp"]
    *lines, remark = run(capsys, "show", config_file)
    assert [line.split()[-1] for line in lines] == ["installed", "missing"] * 2
    assert remark == "# 2 of the missing rules only make TCP faster; its packets flow by the general rule, too"


def test_says_that_traffic_flows_where_only_other_workers_rules_are_missing(
    kernel: list[Rule], capsys: pytest.CaptureFixture[str], config_file: Path
) -> None:
    config_file.write_text(config_file.read_text().replace("[alagg]\n", "[alagg]\nworkers = 2\n"))
    run(capsys, "install", config_file)
    kernel[:] = [rule for rule in kernel if not rule.bytecode]
    *lines, remark = run(capsys, "show", config_file)
    assert [line.split()[-1] for line in lines] == ["installed", "missing"] * 4
    assert remark == "# 4 of the missing rules only make it all faster; its packets flow by the general rule, too"
