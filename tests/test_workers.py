"""The workers' processes: started, asked and ended together, whichever of them fails, hangs or dies."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg import workers as workers_module
from alagg.control.loop import Loop
from alagg.control.parts import Part, decode
from alagg.messages import (
    Failed,
    Happened,
    HostFacts,
    InterfaceFacts,
    Ready,
    Reconfigure,
    SnapshotPart,
    SnapshotRequest,
    Stop,
    Taken,
)
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
    """Be a worker that counts what it is asked, and does what it finds in a file `do NUMBER`."""
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
        if (directory / f"die {number}").exists():
            os.kill(os.getpid(), signal.SIGKILL)
        while (directory / f"hang {number}").exists():
            time.sleep(0.005)
        with (directory / f"told {number}").open("a") as file:
            file.write(f"{type(message).__name__}\n")
        if isinstance(message, SnapshotRequest):
            asked += 1
            first = Part({"number": number, "asked": asked}, "", "")
            connection.send(SnapshotPart(message.number, first, first=True, last=False))
            connection.send(SnapshotPart(message.number, Part({}, "1", "2"), first=False, last=True))
        if isinstance(message, Reconfigure):
            connection.send(Taken(message.number))
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


class Supervisor:
    """Workers in a loop."""

    def __init__(self, config: Config, stack: ExitStack) -> None:
        self.loop = Loop()
        self.happened: list[tuple[Happened, int]] = []
        self.workers = Workers(config, None, stack)
        self.workers.serve(self.loop, lambda happened, number: self.happened.append((happened, number)))
        self.answers: list[Any] = []

    def ask(self) -> None:
        self.workers.ask(self.take)

    def take(self, found: list[list[Part]] | NoAnswerError) -> None:
        self.answers.append(found if isinstance(found, NoAnswerError) else [decode(parts) for parts in found])

    def wait(self, count: int) -> list[Any]:
        """Serve until so many answers are there."""
        deadline = time.monotonic() + PATIENCE
        while len(self.answers) < count and time.monotonic() < deadline:
            self.loop.step(0.1)
        return self.answers


FACTS: Final = HostFacts({}, ())


def test_all_of_them_answer_in_order_and_end(config: Config) -> None:
    with ExitStack() as stack:
        supervisor = Supervisor(config, stack)
        supervisor.ask()
        (answer,) = supervisor.wait(1)
        assert answer == [{"number": number, "asked": 1, "peers": [1], "links": [2]} for number in range(3)]
    assert all((config.path.parent / f"stopped{number}").exists() for number in range(3))


def test_who_asks_while_others_wait_gets_what_is_read_after_that(config: Config, stack: ExitStack) -> None:
    supervisor = Supervisor(config, stack)
    for _ in range(3):
        supervisor.ask()
    found = supervisor.wait(3)
    assert [answer[0]["asked"] for answer in found] == [1, 2, 2]


def test_one_that_cannot_work_ends_all(config: Config) -> None:
    (config.path.parent / "refuse").touch()
    with pytest.raises(WorkerError, match="cannot capture from NFQUEUE 3"), ExitStack() as stack:
        Workers(config, None, stack)
    assert (config.path.parent / "stopped0").exists()


def test_the_one_that_died_is_named_and_how(config: Config, stack: ExitStack) -> None:
    supervisor = Supervisor(config, stack)
    (config.path.parent / "die 1").touch()
    supervisor.ask()
    with pytest.raises(WorkerError, match=r"^worker process 1 has died \(killed by SIGKILL\)$"):
        supervisor.wait(1)


def test_one_that_fails_says_why_in_the_log(
    config: Config, stack: ExitStack, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def fail(_config: Config, connection: Connection, *_: object) -> None:
        connection.send(Ready())
        raise KeyError("of no use")

    monkeypatch.setattr(workers_module, "worker_process", fail)
    supervisor = Supervisor(config, stack)
    with pytest.raises(WorkerError, match=r"^worker process \d has died \(exit status 1\)$"):
        supervisor.wait(1)
    assert "Traceback" not in capfd.readouterr().err, "only the log, which nobody waits for, has it"


def test_one_that_hangs_is_not_waited_for(config: Config, stack: ExitStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "ANSWER_TIME", 0.05)
    supervisor, hang = Supervisor(config, stack), config.path.parent / "hang 1"
    hang.touch()
    for count in (1, 2):
        supervisor.ask()
        answer = supervisor.wait(count)[-1]
        assert isinstance(answer, NoAnswerError)
        assert str(answer) == "worker process 1 does not answer"
    monkeypatch.setattr(workers_module, "ANSWER_TIME", PATIENCE)
    hang.unlink()
    supervisor.ask()
    answer = supervisor.wait(3)[-1]
    assert [each["number"] for each in answer] == [0, 1, 2], "late answers are not taken for others"


def test_nothing_piles_up_before_one_that_hangs(config: Config, stack: ExitStack) -> None:
    """It is told the newest when it goes on, not all that has been overtaken."""
    supervisor, directory = Supervisor(config, stack), config.path.parent
    (directory / "hang 1").touch()
    large = HostFacts({f"eth{number}": InterfaceFacts(1, 1500, "x" * 1000) for number in range(1000)}, ())
    for _ in range(100):
        supervisor.workers.tell(large)
    supervisor.workers.tell(Reconfigure(config))
    assert len(supervisor.workers.processes[1]._waiting) <= 2
    assert not supervisor.workers.await_taken(0.05)
    (directory / "hang 1").unlink()
    assert supervisor.workers.await_taken(PATIENCE)
    told = (directory / "told 1").read_text().splitlines()
    assert told[-1] == "Reconfigure"
    assert 1 <= told.count("HostFacts") < 10


def test_one_that_hangs_at_the_end_is_killed(
    config: Config, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workers_module, "STOP_TIME", 0.05)
    (config.path.parent / "hang 1").touch()
    with ExitStack() as stack:
        Supervisor(config, stack).workers.tell(FACTS)
    # On a busy machine the other one, too, may take longer than that.
    assert "worker process 1 did not end by itself; killing it" in caplog.messages


def test_each_of_them_notices_its_supervisors_death(config: Config) -> None:
    """A later worker that kept an earlier one's connection open would keep that one alive."""
    stack = ExitStack()
    workers = Workers(config, None, stack)
    first = workers.processes[0]
    first._channel.close()
    assert appears(config.path.parent / "orphan0")
    workers.processes.pop(0)
    stack.close()
