"""Namespaces: commands inside, errors that say what failed, and removal of everything, the dead's included."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from alagg.lab import namespace
from alagg.lab.namespace import LabError, Namespace

if TYPE_CHECKING:
    from collections.abc import Iterator

netns = pytest.mark.netns


@pytest.fixture
def inside() -> Iterator[Namespace]:
    made = Namespace(f"alagg-{os.getpid()}-test")
    made.create()
    yield made
    made.remove()


@netns
def test_a_command_runs_inside(inside: Namespace) -> None:
    assert inside.run(["ip", "-br", "link"]).stdout.split()[0] == "lo"
    inside.ip("link add d0 type veth peer name d1", "link set d0 up")
    assert "d0" in inside.run(["ip", "-br", "link"]).stdout


@netns
def test_a_failure_says_what_failed_and_why(inside: Namespace) -> None:
    with pytest.raises(LabError, match=r"link set nothing up|Cannot find device"):
        inside.ip("link set nothing up")
    assert inside.run(["false"], check=False).returncode == 1


@netns
def test_a_command_that_hangs_is_ended(inside: Namespace) -> None:
    with pytest.raises(LabError, match="still ran after"):
        inside.run(["sleep", "60"], timeout=0.1)


@netns
def test_kernel_parameters_are_set_inside_only(inside: Namespace) -> None:
    key = Path("/proc/sys/net/ipv4/ip_default_ttl")
    outside = key.read_text()
    inside.sysctl({"net.ipv4.ip_default_ttl": 77})
    assert inside.run(["cat", str(key)]).stdout == "77\n"
    assert key.read_text() == outside


@netns
def test_removal_ends_what_runs_inside(inside: Namespace) -> None:
    sleeper = subprocess.Popen(inside.inside(["sleep", "60"]))
    while str(sleeper.pid) not in subprocess.run(
        ["ip", "netns", "pids", inside.name], capture_output=True, text=True, check=True
    ).stdout.split():
        assert sleeper.poll() is None
        time.sleep(0.005)
    inside.remove()
    assert sleeper.wait() == -signal.SIGKILL
    inside.remove()


@netns
def test_removal_gives_back_what_was_started(inside: Namespace) -> None:
    sleeper = inside.popen(["sleep", "60"])
    inside.remove()
    assert sleeper.returncode == -signal.SIGKILL
    assert sleeper.stdin
    assert sleeper.stdin.closed


@netns
def test_namespaces_of_the_dead_are_swept_and_those_of_the_living_kept(inside: Namespace) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    left = Namespace(f"alagg-{dead.pid}-1-a")
    left.create()
    # Another lab that starts at this very moment may sweep it before us, so our own list may lack it.
    assert inside.name not in namespace.sweep()
    assert not Path("/run/netns", left.name).exists()
    assert Path("/run/netns", inside.name).exists()


@netns
def test_namespace_that_somebody_else_removes_meanwhile_is_removed(
    inside: Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = namespace._checked

    def too_late(command: list[str]) -> str:
        if command[:3] == ["ip", "netns", "delete"]:
            checked(command)
        return checked(command)

    monkeypatch.setattr(namespace, "_checked", too_late)
    inside.remove()
    assert not Path("/run/netns", inside.name).exists()


@netns
def test_namespace_that_cannot_be_removed_is_an_error(inside: Namespace, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(command: list[str]) -> str:
        raise LabError("busy")

    with monkeypatch.context() as patch:
        patch.setattr(namespace, "_checked", refuse)
        with pytest.raises(LabError, match="busy"):
            inside.remove()


def test_the_lab_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(LabError, match="needs root"):
        namespace.require_root()


def test_children_find_this_very_package() -> None:
    command = namespace.python("alagg.lab.traffic", "--help")
    done = subprocess.run(command, cwd="/", env=namespace.environment(), capture_output=True, text=True, check=True)
    assert "address" in done.stdout
