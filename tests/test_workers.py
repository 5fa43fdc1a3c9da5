"""The workers' processes: started, asked and ended together, whichever of them fails, hangs or dies."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from alagg import workers as workers_module
from alagg.messages import Failed, Ready, SnapshotRequest, Stop
from alagg.workers import NoAnswerError, WorkerError, Workers
from tests.engine.helpers import TWO
from tests.memory_net import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from alagg.config import Config

PATIENCE = 10.0


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return write_config(tmp_path / "node.cfg", {"peer": (TWO, ("eth0",))}, workers="3")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def worker(config: Config, connection: Connection, pcap: Path | None, number: int, *_: object) -> None:
    """Be a worker that counts what it is asked; the last one refuses to start where a file says so."""
    directory = config.path.parent
    if number == 2 and (directory / "refuse").exists():
        connection.send(Failed("cannot capture from NFQUEUE 3"))
        return
    connection.send(Ready())
    asked = 0
    while True:
        try:
            message = connection.recv()
        except EOFError:
            (directory / f"orphan{number}").touch()
            return
        if message == "die":
            os._exit(1)
        if message == "hang" and number == 1:
            while not (directory / "go on").exists():
                time.sleep(0.005)
        if isinstance(message, SnapshotRequest):
            asked += 1
            connection.send({"number": number, "asked": asked})
        if isinstance(message, Stop):
            (directory / f"stopped{number}").touch()
            return


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "worker_process", worker)


def appears(path: Path) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.005)
    return path.exists()


def test_all_of_them_answer_in_order_and_end(config: Config) -> None:
    with ExitStack() as stack:
        workers = Workers(config, None, stack)
        assert workers.snapshots() == [{"number": number, "asked": 1} for number in range(3)]
    assert all((config.path.parent / f"stopped{number}").exists() for number in range(3))


def test_one_that_cannot_work_ends_all(config: Config) -> None:
    (config.path.parent / "refuse").touch()
    with pytest.raises(WorkerError, match="cannot capture from NFQUEUE 3"), ExitStack() as stack:
        Workers(config, None, stack)
    assert (config.path.parent / "stopped0").exists()


def test_the_one_that_died_is_named(config: Config, stack: ExitStack) -> None:
    workers = Workers(config, None, stack)
    workers.processes[1].send("die")
    with pytest.raises(WorkerError, match=r"^worker process 1 has died"):
        workers.snapshots()
    with pytest.raises(WorkerError, match=r"^worker process 1 has died"):
        workers.processes[1].unasked()


def test_answers_that_come_too_late_are_not_taken_for_others(
    config: Config, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    workers = Workers(config, None, stack)
    workers.tell("hang")
    monkeypatch.setattr(workers_module, "ANSWER_TIME", 0.05)
    for _ in range(2):
        with pytest.raises(NoAnswerError, match=r"^worker process 1 does not answer"):
            workers.snapshots()
    monkeypatch.setattr(workers_module, "ANSWER_TIME", PATIENCE)
    (config.path.parent / "go on").touch()
    late = workers.processes[1]
    assert late._ours.poll(PATIENCE)
    late.unasked()
    answers = workers.snapshots()
    assert [answer["number"] for answer in answers] == [0, 1, 2]
    assert answers[1]["asked"] == 2, "while it hung, it was asked once"


def test_each_of_them_notices_its_supervisors_death(config: Config) -> None:
    """A later worker that kept an earlier one's connection open would keep that one alive."""
    stack = ExitStack()
    workers = Workers(config, None, stack)
    first = workers.processes[0]
    first._ours.close()
    assert appears(config.path.parent / "orphan0")
    workers.processes.pop(0)
    stack.close()
