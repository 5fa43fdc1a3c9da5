"""Workers: the processes that move packets, as the supervisor sees them: started, told, asked and ended together."""

from __future__ import annotations

import logging
import multiprocessing
import signal
import time
from typing import TYPE_CHECKING, Final

from alagg.control import logs
from alagg.crew import Crew
from alagg.messages import Failed, SnapshotRequest, Stop
from alagg.system import HostError
from alagg.worker import worker_process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import ExitStack
    from multiprocessing.connection import Connection
    from pathlib import Path

    from alagg.config import Config
    from alagg.control.snapshot import Json

START_TIME: Final = 5.0
"""Seconds in which all workers must have opened their edges."""
ANSWER_TIME: Final = 3.0
"""Seconds in which they must answer; less than a client of the control socket waits."""
STOP_TIME: Final = 3.0
"""Seconds that they have to end."""

log = logging.getLogger(__name__)


class WorkerError(HostError):
    """The node cannot go on, for a worker cannot work or has died; the text is one line for the user."""


class NoAnswerError(WorkerError):
    """A worker does not answer for now; it may be busy, and the node goes on."""


class Workers:
    """All workers of a node."""

    def __init__(self, config: Config, pcap: Path | None, stack: ExitStack) -> None:
        """Fork the workers, and wait until all of them capture and send; they end with the stack.

        Raises:
            WorkerError: one of them cannot work.
        """
        self.processes: list[WorkerProcess] = []
        stack.callback(self._stop)
        crew = Crew(config.workers)
        for number in range(config.workers):
            self.processes.append(WorkerProcess(config, number, pcap, self.processes, crew))
        crew.close()
        deadline = time.monotonic() + START_TIME
        for process in self.processes:
            answer = process.answer(deadline)
            if isinstance(answer, Failed):
                raise WorkerError(answer.reason)

    def tell(self, message: object) -> None:
        """Send all workers a message that needs no answer.

        Raises:
            WorkerError: one of them has died.
        """
        for process in self.processes:
            process.send(message)

    def snapshots(self) -> list[Json]:
        """Give each worker's snapshot.

        Raises:
            NoAnswerError: one of them does not answer in time.
            WorkerError: one of them has died.
        """
        for process in self.processes:
            process.ask()
        deadline = time.monotonic() + ANSWER_TIME
        answers = [process.answer(deadline) for process in self.processes]
        return [answer for answer in answers if isinstance(answer, dict)]

    def _stop(self) -> None:
        """End all workers at the same time; kill those that do not end by themselves."""
        for process in self.processes:
            process.stop()
        deadline = time.monotonic() + STOP_TIME
        for process in self.processes:
            process.join(deadline)


class WorkerProcess:
    """One forked worker and the connection to it."""

    def __init__(
        self, config: Config, number: int, pcap: Path | None, earlier: Sequence[WorkerProcess], crew: Crew
    ) -> None:
        """Fork the worker. Of the earlier ones it keeps nothing open: their supervisor's death must show."""
        self.name = "the worker process" if config.workers == 1 else f"worker process {number}"
        fork = multiprocessing.get_context("fork")
        self._ours, theirs = fork.Pipe()
        self._asked = True
        """Whether an answer is still to come; the first one says that the worker is ready."""
        others = [self._ours, *(process._ours for process in earlier)]  # noqa: SLF001
        self._process = fork.Process(
            target=_child, args=(config, others, theirs, pcap, number, crew), name=f"alagg-worker-{number}"
        )
        self._process.start()
        theirs.close()

    def fileno(self) -> int:
        """Give the descriptor that is readable when the worker has something to say, or has died."""
        return self._ours.fileno()

    def send(self, message: object) -> None:
        """Send a message.

        Raises:
            WorkerError: the worker has died.
        """
        try:
            self._ours.send(message)
        except OSError:
            raise self._died() from None

    def ask(self) -> None:
        """Ask for a snapshot, unless an answer is still to come: nothing piles up before a worker that hangs."""
        if not self._asked:
            self.send(SnapshotRequest())
            self._asked = True

    def answer(self, deadline: float) -> object:
        """Give the answer to what was asked.

        Raises:
            NoAnswerError: it has not come by the deadline, a time of `time.monotonic`.
            WorkerError: the worker has died.
        """
        if not self._ours.poll(max(deadline - time.monotonic(), 0.0)):
            raise NoAnswerError(f"{self.name} does not answer")
        return self._receive()

    def unasked(self) -> None:
        """Take what came while nobody waited: an answer that was too late.

        Raises:
            WorkerError: it was none, so the worker has died.
        """
        if not self._asked:
            raise self._died()
        self._receive()

    def stop(self) -> None:
        """Tell the worker to end."""
        try:
            self._ours.send(Stop())
        except OSError:
            log.debug("%s is gone already", self.name)

    def join(self, deadline: float) -> None:
        """Wait for the worker's end, and kill it after the deadline."""
        self._process.join(max(deadline - time.monotonic(), 0.0))
        if self._process.is_alive():
            log.warning("%s did not end by itself; killing it", self.name)
            self._process.kill()
            self._process.join()
        self._ours.close()

    def _receive(self) -> object:
        self._asked = False
        try:
            return self._ours.recv()
        except (EOFError, OSError):
            raise self._died() from None

    def _died(self) -> WorkerError:
        return WorkerError(f"{self.name} has died; its own message stands above")


def _child(
    config: Config, others: Sequence[Connection], theirs: Connection, pcap: Path | None, number: int,
    crew: Crew,
) -> None:
    """Be the forked process. Our own ends of the pipes are closed, so the supervisor's death reads as their end."""
    signal.set_wakeup_fd(-1)
    for connection in others:
        connection.close()
    worker_process(config, theirs, pcap, number, crew)
    logs.flush()
