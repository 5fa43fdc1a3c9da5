"""The observer's life: started where it is wanted, anew when it has died, and gone with all that it had started."""

from __future__ import annotations

import dataclasses
import os
import pickle
import signal
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from alagg import companion as module
from alagg.companion import Companion
from tests.memory_net import write_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alagg.config import Config

WAIT: Final = 20.0
OBEDIENT: Final = 'cat >"$0.config"; echo $$ $1 >>"$0"; exec sleep 60'
"""Takes its configuration, says who it is, and lives."""
STUBBORN: Final = f"trap '' TERM; {OBEDIENT}"
MORTAL: Final = 'cat >/dev/null; echo $$ $1 >>"$0"; exit 3'
PARENT: Final = 'cat >/dev/null; sleep 60 & echo $$ $! >>"$0"; wait'
"""Starts a program of its own."""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = write_config(tmp_path / "node.cfg", {"office": ("10.99.0.2", ["eth0"])})
    return wanting(config)


@pytest.fixture
def seen(tmp_path: Path) -> Path:
    return tmp_path / "seen"


def wanting(config: Config, *, keep: bool = True) -> Config:
    return dataclasses.replace(config, history=dataclasses.replace(config.history, keep=keep))


@contextmanager
def started(config: Config, script: str, seen: Path) -> Iterator[Companion]:
    companion = Companion(config, ("/bin/sh", "-c", script, str(seen)))
    try:
        yield companion
    finally:
        companion.close()


def await_that(true: Callable[[], bool]) -> None:
    limit = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.005)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):  # gone before the file was opened, or between that and reading it
        return False


def pids(seen: Path, count: int = 1) -> list[list[int]]:
    """Wait for so many observers, and give the numbers that each of them has written."""
    await_that(lambda: seen.exists() and seen.read_text().count("\n") >= count)
    return [[int(number) for number in line.split()] for line in seen.read_text().splitlines()]


def test_observer_gets_the_configuration_and_ends_with_the_node(config: Config, seen: Path) -> None:
    with started(config, OBEDIENT, seen):
        ((pid, parent),) = pids(seen)
        assert parent == os.getpid()
        assert pickle.loads(seen.with_suffix(".config").read_bytes()) == config
    assert not lives(pid)


def test_nothing_is_started_where_nothing_is_wanted(config: Config, seen: Path) -> None:
    with started(wanting(config, keep=False), OBEDIENT, seen) as companion:
        assert companion._thread is None


def test_observer_that_does_not_end_is_killed(config: Config, seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "END_TIME", 0.1)
    with started(config, STUBBORN, seen):
        ((pid, _),) = pids(seen)
    await_that(lambda: not lives(pid))


def test_what_the_observer_had_started_goes_with_it(config: Config, seen: Path) -> None:
    with started(config, PARENT, seen):
        ((_, child),) = pids(seen)
        assert lives(child)
    await_that(lambda: not lives(child))


def test_observer_that_dies_is_started_anew_with_growing_pauses(
    config: Config, seen: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    with started(config, MORTAL, seen) as companion:
        pids(seen, 4)
        companion.close()
    told = [record.args for record in caplog.records if "is started anew" in record.getMessage()]
    assert told[:3] == [("exit status 3", 0.01), ("exit status 3", 0.02), ("exit status 3", 0.04)]


def test_observer_that_is_killed_is_started_anew(
    config: Config, seen: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "PAUSE", 0.01)
    with started(config, OBEDIENT, seen):
        ((pid, _),) = pids(seen)
        os.kill(pid, signal.SIGKILL)
        _, (second, _) = pids(seen, 2)
        assert lives(second)
    assert "the observer has ended (signal 9); it is started anew in 0 s" in caplog.text


def test_program_that_is_not_there_is_told(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    companion = Companion(config, ("/no/such/program",))
    await_that(lambda: "started anew" in caplog.text)
    companion.close()
    assert "no observer can be started: [Errno 2] No such file or directory: '/no/such/program'" in caplog.text


def test_reload_that_changes_nothing_leaves_it_alone(config: Config, seen: Path) -> None:
    with started(config, OBEDIENT, seen) as companion:
        ((pid, _),) = pids(seen)
        companion.follow(dataclasses.replace(config, queue=7))
        assert lives(pid)
        assert len(pids(seen)) == 1


def test_reload_starts_it_with_the_new_configuration(
    config: Config, seen: Path, caplog: pytest.LogCaptureFixture
) -> None:
    new = dataclasses.replace(config, history=dataclasses.replace(config.history, size=5_000_000))
    with started(config, OBEDIENT, seen) as companion:
        ((first, _),) = pids(seen)
        companion.follow(new)
        pids(seen, 2)
        assert not lives(first)
        assert pickle.loads(seen.with_suffix(".config").read_bytes()) == new
    assert not caplog.records


def test_reload_starts_and_ends_it(config: Config, seen: Path) -> None:
    without = wanting(config, keep=False)
    with started(without, OBEDIENT, seen) as companion:
        companion.follow(config)
        ((pid, _),) = pids(seen)
        companion.follow(without)
        await_that(lambda: not lives(pid))
        companion.follow(config)
        pids(seen, 2)


def test_observer_is_this_installation_s_own() -> None:
    assert (sys.executable, "-I", "-m", "alagg.observer") == module.COMMAND
