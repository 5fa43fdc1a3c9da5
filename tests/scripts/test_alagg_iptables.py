"""The stand-alone script makes the rules that alagg itself makes, once, and removes no others."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from alagg import config
from alagg.system.rules import wanted_rules

if TYPE_CHECKING:
    from collections.abc import Iterator

SCRIPT = Path(__file__).parents[2] / "scripts" / "alagg-iptables"
DESTINATIONS = ("10.99.0.2/32", "fd99::/64")


def run(*command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, check=check)


@pytest.fixture(params=["yes", "no"])
def gso(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def config_file(tmp_path: Path, gso: str) -> Path:
    path = tmp_path / "alagg.cfg"
    path.write_text(
        f"[alagg]\nmanage_host = no\nqueue = 7\ngso = {gso}\nmark = 0x77\nchains = OUTPUT, FORWARD\n"
        "control_socket = /run/two.sock\n"
        f"[peer office]\ndestinations = {', '.join(DESTINATIONS)}\n"
        "[link fibre]\ninterface = eth0\nmac = 52:54:00:12:34:56\n"
    )
    return path


OPTIONS = ("--queue", "7", "--mark", "0x77", "--chain", "OUTPUT", "--chain", "FORWARD", "--socket", "/run/two.sock")


@pytest.fixture
def namespace() -> Iterator[tuple[str, ...]]:
    """Give the words that run a command in a network namespace of its own."""
    name = f"alagg-{os.getpid()}-rules"
    run("ip", "netns", "add", name)
    try:
        yield ("ip", "netns", "exec", name)
    finally:
        run("ip", "netns", "del", name)


def saved(namespace: tuple[str, ...]) -> list[str]:
    texts = [run(*namespace, f"{command}-legacy-save").stdout for command in ("iptables", "ip6tables")]
    return [line for text in texts for line in text.splitlines() if line.startswith("-A")]


@pytest.mark.netns
def test_same_rules_as_alagg(namespace: tuple[str, ...], config_file: Path, gso: str) -> None:
    run(*namespace, SCRIPT, "install", *OPTIONS, "--gso", gso, *DESTINATIONS)
    by_script = saved(namespace)
    run(*namespace, SCRIPT, "remove", *OPTIONS, "--gso", gso, *DESTINATIONS)
    run(*namespace, sys.executable, "-m", "alagg", "rules", "install", "--config", config_file)
    by_alagg = saved(namespace)
    # Which destination comes first does not matter; that TCP's own rule stands before the general one does.
    assert sorted(by_script) == sorted(by_alagg)
    assert len(by_script) == (8 if gso == "yes" else 4)
    for rules in (by_script, by_alagg):
        assert tcp_comes_first(rules) == (gso == "yes")


def tcp_comes_first(rules: list[str]) -> bool:
    """Tell whether every general rule stands behind TCP's for the same chain and destination."""
    seen: set[str] = set()
    for rule in rules:
        place = rule.partition(" -m mark")[0]
        if " -p tcp" in place:
            seen.add(place.replace(" -p tcp", ""))
        elif place not in seen:
            return False
    return True


@pytest.mark.netns
def test_shows_them_as_alagg_does(namespace: tuple[str, ...], config_file: Path, gso: str) -> None:
    show = (SCRIPT, "show", *OPTIONS, "--gso", gso, *DESTINATIONS)
    shown = run(*namespace, *show).stdout
    wanted = [[*shlex.split(str(rule)), "#", "missing"] for rule in wanted_rules(config.load(config_file))]
    assert sorted(shlex.split(line) for line in shown.splitlines()) == sorted(wanted)
    run(*namespace, SCRIPT, "install", *OPTIONS, "--gso", gso, *DESTINATIONS)
    for command in (show, (sys.executable, "-m", "alagg", "rules", "show", "--config", config_file)):
        lines = run(*namespace, *command).stdout.splitlines()
        assert [line.split()[-1] for line in lines] == ["installed"] * len(wanted)


@pytest.mark.netns
def test_workers_rules_are_those_of_alagg_in_their_order(namespace: tuple[str, ...], config_file: Path) -> None:
    text = config_file.read_text().replace("gso = no", "gso = yes")
    config_file.write_text(text.replace("queue", "workers = 3\nqueue"))
    options = (*OPTIONS, "--workers", "3")
    run(*namespace, SCRIPT, "install", *options, "--", *DESTINATIONS)
    by_script = saved(namespace)
    show = run(*namespace, sys.executable, "-m", "alagg", "rules", "show", "--config", config_file).stdout
    assert {line.split()[-1] for line in show.splitlines()} == {"installed"}
    shown = run(*namespace, SCRIPT, "show", *options, *DESTINATIONS).stdout
    assert sorted(map(shlex.split, shown.splitlines())) == sorted(map(shlex.split, show.splitlines()))
    run(*namespace, SCRIPT, "remove", *options, *DESTINATIONS)
    assert saved(namespace) == []
    run(*namespace, sys.executable, "-m", "alagg", "rules", "install", "--config", config_file)
    assert saved(namespace) == by_script
    assert len(by_script) == 24


@pytest.mark.netns
def test_twice_is_once_and_removed_is_removed(namespace: tuple[str, ...]) -> None:
    run(*namespace, "iptables-legacy", "-A", "OUTPUT", "-d", "10.99.0.2", "-j", "ACCEPT")
    before = saved(namespace)
    run(*namespace, SCRIPT, "install", "10.99.0.2", "fd99::2")
    once = saved(namespace)
    assert len(once) == len(before) + 4
    run(*namespace, SCRIPT, "install", "10.99.0.2", "fd99::2")
    assert saved(namespace) == once
    run(*namespace, SCRIPT, "remove", "--socket", "/run/other.sock", "10.99.0.2", "fd99::2")
    assert saved(namespace) == once
    run(*namespace, SCRIPT, "remove", "10.99.0.2", "fd99::2")
    run(*namespace, SCRIPT, "remove", "10.99.0.2", "fd99::2")
    assert saved(namespace) == before


@pytest.mark.netns
def test_rule_for_tcp_that_comes_later_stands_before_the_general_one(namespace: tuple[str, ...]) -> None:
    run(*namespace, SCRIPT, "install", "--gso", "no", "10.99.0.2")
    (general,) = saved(namespace)
    run(*namespace, SCRIPT, "install", "10.99.0.2")
    first, second = saved(namespace)
    assert " -p tcp " in first
    assert "--queue-num 1025 " in first
    assert second == general


@pytest.mark.parametrize(
    "arguments",
    [(), ("bogus", "::1"), ("show",), ("show", "--queue"), ("show", "--queue", "x", "::1"), ("show", "--no", "::1"),
     ("show", "--chain", "INPUT", "::1"), ("show", "--gso", "maybe", "::1"),
     ("show", "--workers", "0", "::1"), ("show", "--workers", "17", "::1")],
)  # fmt: skip
def test_wrong_command_line(arguments: tuple[str, ...]) -> None:
    ended = run(SCRIPT, *arguments, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("alagg-iptables: ")
    assert len(ended.stderr.splitlines()) == 1


def test_help() -> None:
    assert run(SCRIPT, "--help").stdout.startswith("Usage: alagg-iptables")
