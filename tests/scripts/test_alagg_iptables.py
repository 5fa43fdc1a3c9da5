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


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "alagg.cfg"
    path.write_text(
        "[alagg]\nmanage_host = no\nqueue = 7\nmark = 0x77\nchains = OUTPUT, FORWARD\n"
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
def test_same_rules_as_alagg(namespace: tuple[str, ...], config_file: Path) -> None:
    shown = run(*namespace, SCRIPT, "show", *OPTIONS, *DESTINATIONS).stdout.replace("-legacy", "")
    wanted = [["missing", *shlex.split(str(rule))] for rule in wanted_rules(config.load(config_file))]
    assert [shlex.split(line) for line in shown.splitlines()] == wanted


@pytest.mark.netns
def test_alagg_finds_them(namespace: tuple[str, ...], config_file: Path) -> None:
    run(*namespace, SCRIPT, "install", *OPTIONS, *DESTINATIONS)
    command = (sys.executable, "-m", "alagg", "rules", "show", "--config", config_file)
    lines = run(*namespace, *command).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["installed"] * 4


@pytest.mark.netns
def test_twice_is_once_and_removed_is_removed(namespace: tuple[str, ...]) -> None:
    run(*namespace, "iptables-legacy", "-A", "OUTPUT", "-d", "10.99.0.2", "-j", "ACCEPT")
    before = saved(namespace)
    run(*namespace, SCRIPT, "install", "10.99.0.2", "fd99::2")
    once = saved(namespace)
    assert len(once) == len(before) + 2
    run(*namespace, SCRIPT, "install", "10.99.0.2", "fd99::2")
    assert saved(namespace) == once
    run(*namespace, SCRIPT, "remove", "--socket", "/run/other.sock", "10.99.0.2", "fd99::2")
    assert saved(namespace) == once
    run(*namespace, SCRIPT, "remove", "10.99.0.2", "fd99::2")
    run(*namespace, SCRIPT, "remove", "10.99.0.2", "fd99::2")
    assert saved(namespace) == before


@pytest.mark.parametrize(
    "arguments",
    [(), ("bogus", "::1"), ("show",), ("show", "--queue"), ("show", "--queue", "x", "::1"), ("show", "--no", "::1"),
     ("show", "--chain", "INPUT", "::1")],
)  # fmt: skip
def test_wrong_command_line(arguments: tuple[str, ...]) -> None:
    ended = run(SCRIPT, *arguments, check=False)
    assert ended.returncode == 2
    assert ended.stderr.startswith("alagg-iptables: ")
    assert len(ended.stderr.splitlines()) == 1


def test_help() -> None:
    assert run(SCRIPT, "--help").stdout.startswith("Usage: alagg-iptables")
