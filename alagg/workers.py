"""Workers: the processes that move packets, as the supervisor sees them: started, told, asked and ended together."""

from __future__ import annotations

import logging
import multiprocessing
import select
import signal
import time
from typing import TYPE_CHECKING, Final

from alagg.channel import Channel
from alagg.control import logs
from alagg.control.loop import READ, WRITE
from alagg.crew import Crew
from alagg.messages import (
    CapsUsed,
    Failed,
    Happened,
    Held,
    HostFacts,
    MorePeers,
    Names,
    Ready,
    Reconfigure,
    SnapshotPart,
    SnapshotRequest,
    Stop,
    Taken,
    in_pieces,
)
from alagg.system import HostError
from alagg.worker_process import worker_process

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import ExitStack
    from multiprocessing.connection import Connection
    from pathlib import Path

    from alagg.config import Config
    from alagg.control.loop import Loop
    from alagg.control.parts import Part
    from alagg.messages import Try


START_TIME: Final = 5.0
"""Seconds in which all workers must have opened their edges."""
ANSWER_TIME: Final = 3.0
"""Seconds in which they must answer; less than a client of the control socket waits."""
STOP_TIME: Final = 3.0
"""Seconds that they have to end."""
FEW: Final = 8
"""Messages that may wait for a worker, besides which it takes others that nobody needs."""
_DEATH_TIME: Final = 0.5
"""Seconds until the end of a process that has closed its connection can be read."""

log = logging.getLogger(__name__)


class WorkerError(HostError):
    """The node cannot go on, for a worker cannot work or has died; the text is one line for the user."""


class NoAnswerError(WorkerError):
    """A worker does not answer for now; it may be busy, and the node goes on."""


if TYPE_CHECKING:
    Answer = Callable[[list[list[Part]] | NoAnswerError], None]
    """Takes each worker's snapshot, or why there is none."""


class Workers:
    """All workers of a node."""

    def __init__(self, config: Config, pcap: Path | None, stack: ExitStack) -> None:
        """Fork the workers, and wait until all of them capture and send; they end with the stack.

        Raises:
            WorkerError: one of them cannot work.
        """
        self.processes: list[WorkerProcess] = []
        self._number = 0
        self._current: list[Answer] = []
        self._next: list[Answer] = []
        stack.callback(self._stop)
        crew = Crew(config.workers)
        for number in range(config.workers):
            self.processes.append(WorkerProcess(config, number, pcap, self.processes, crew))
        crew.close()
        deadline = time.monotonic() + START_TIME
        for process in self.processes:
            process.await_ready(deadline)

    def serve(self, loop: Loop, happened: Callable[[Happened, int], None]) -> None:
        """Serve the workers in a loop from now on.

        Args:
            loop: whose owner meets a `WorkerError` when one of them dies.
            happened: takes what the engines tell, and the worker's number.
        """
        self._loop = loop
        for process in self.processes:
            process.serve(loop, happened, self._collect)

    def tell(self, message: CapsUsed | Held | HostFacts | Names | Reconfigure) -> None:
        """Tell all workers something; it is on its way when this returns, however busy they are.

        Raises:
            WorkerError: one of them has died.
        """
        for process in self.processes:
            process.send(message)

    def try_on_link(self, message: Try) -> bool:
        """Have the worker that watches the links try something; False where it has enough to do as it is.

        Raises:
            WorkerError: it has died.
        """
        return self.processes[0].try_to_send(message)

    def await_taken(self, seconds: float) -> bool:
        """Wait until all workers go by the last configuration that they were told, for a bounded time.

        Raises:
            WorkerError: one of them has died.
        """
        deadline = time.monotonic() + seconds
        return all(process.await_taken(deadline) for process in self.processes)

    def ask(self, answer: Answer) -> None:
        """Ask all workers for their counters; `answer` is called when they are there, or in `ANSWER_TIME`.

        Who asks while others wait gets counters that were read after he asked.
        """
        self._next.append(answer)
        if not self._current:
            self._ask()

    def _ask(self) -> None:
        self._current, self._next = self._next, []
        if not self._current:
            return
        self._number = number = self._number + 1
        for process in self.processes:
            process.ask(number)
        self._loop.call_in(ANSWER_TIME, lambda: self._give_up(number))

    def _collect(self) -> None:
        """Answer those who asked, when the last part has come."""
        if self._current and all(process.answered == self._number for process in self.processes):
            self._answer([process.parts for process in self.processes])

    def _give_up(self, number: int) -> None:
        if self._current and number == self._number:
            silent = next(process for process in self.processes if process.answered != number)
            self._answer(NoAnswerError(f"{silent.name} does not answer"))

    def _answer(self, found: list[list[Part]] | NoAnswerError) -> None:
        answers, self._current = self._current, []
        for answer in answers:
            answer(found)
        self._ask()

    def _stop(self) -> None:
        """End all workers at the same time; kill those that do not end by themselves."""
        for process in self.processes:
            process.stop()
        deadline = time.monotonic() + STOP_TIME
        for process in self.processes:
            process.join(deadline)


class WorkerProcess:
    """One forked worker and the channel to it."""

    def __init__(
        self, config: Config, number: int, pcap: Path | None, earlier: Sequence[WorkerProcess], crew: Crew
    ) -> None:
        """Fork the worker. Of the earlier ones it keeps nothing open: their supervisor's death must show."""
        self.name = "the worker process" if config.workers == 1 else f"worker process {number}"
        self.number = number
        self.parts: list[Part] = []
        """The parts of the last snapshot."""
        self.answered = 0
        """The number of the last request that was answered wholly."""
        self._waiting: list[object] = []
        """What it is to be told when it has taken what it was told before."""
        self._told = self._taken = 0
        """The numbers of the configurations that it was told, and that it goes by."""
        self._ready = False
        self._loop: Loop | None = None
        fork = multiprocessing.get_context("fork")
        self._ours, theirs = fork.Pipe()
        self._channel = Channel(self._ours)
        others = [self._ours, *(process._ours for process in earlier)]  # noqa: SLF001
        self._process = fork.Process(
            target=_child, args=(config, others, theirs, pcap, number, crew), name=f"alagg-worker-{number}"
        )
        self._process.start()
        theirs.close()

    def await_ready(self, deadline: float) -> None:
        """Wait until the worker works.

        Raises:
            WorkerError: it cannot, has died, or is not ready by the deadline, a time of `time.monotonic`.
        """
        if not self._await(lambda: self._ready, deadline):
            raise NoAnswerError(f"{self.name} does not answer")

    def await_taken(self, deadline: float) -> bool:
        """Wait until the worker goes by the configuration that it was told; tell whether it does at the deadline."""
        return self._await(lambda: self._taken == self._told, deadline)

    def serve(
        self, loop: Loop, happened: Callable[[Happened, int], None], collect: Callable[[], None]
    ) -> None:
        """Serve the channel in a loop; `collect` is called when a snapshot is complete."""
        self._loop, self._happened, self._collect = loop, happened, collect
        self._write()

    def send(self, message: CapsUsed | Held | HostFacts | Names | Reconfigure) -> None:
        """Tell the worker something without waiting for it; what is overtaken by this is not told any more.

        Raises:
            WorkerError: the worker has died.
        """
        if isinstance(message, CapsUsed | Held | HostFacts | Names):
            self._forget(type(message))
            self._waiting.append(message)
        else:
            # Pieces of an older one that it has already got do no harm: the first piece of this one begins anew.
            self._forget(Reconfigure, MorePeers)
            self._told += 1
            self._waiting += in_pieces(message.config, self._told)
        self._write()

    def try_to_send(self, message: Try) -> bool:
        """Tell the worker something if it has taken nearly all that it was told; say whether.

        Raises:
            WorkerError: the worker has died.
        """
        if len(self._waiting) > FEW:
            return False
        self._waiting.append(message)
        self._write()
        return True

    def ask(self, number: int) -> None:
        """Ask for a snapshot.

        Raises:
            WorkerError: the worker has died.
        """
        self._forget(SnapshotRequest)
        self._waiting.append(SnapshotRequest(number))
        self._write()

    def stop(self) -> None:
        """Tell the worker to end."""
        if self._loop is not None:
            self._loop.unwatch(self._channel.fileno())
        self._waiting = [Stop()]
        try:
            self._pump()
        except OSError:
            log.debug("%s is gone already", self.name)
        # Whatever it has not taken yet, this it will notice: it reads the end of the connection.
        self._channel.close()

    def join(self, deadline: float) -> None:
        """Wait for the worker's end, and kill it after the deadline."""
        self._process.join(max(deadline - time.monotonic(), 0.0))
        if self._process.is_alive():
            log.warning("%s did not end by itself; killing it", self.name)
            self._process.kill()
            self._process.join()

    def _forget(self, *kinds: type) -> None:
        self._waiting = [message for message in self._waiting if not isinstance(message, kinds)]

    def _await(self, condition: Callable[[], bool], deadline: float) -> bool:
        """Serve this channel alone until something is so; tell whether it is at the deadline."""
        while not condition():
            poll = select.poll()
            poll.register(self._channel.fileno(), self._events())
            if not poll.poll(max(deadline - time.monotonic(), 0.0) * 1000):
                return False
            self._on_ready()
        return True

    def _on_ready(self) -> None:
        """Take what has come, and send what there is room for.

        Raises:
            WorkerError: the worker has died.
        """
        self._read()
        self._write()

    def _read(self) -> None:
        try:
            message = self._channel.read()
        except (EOFError, OSError):
            raise self._died() from None
        if isinstance(message, Ready):
            self._ready = True
        elif isinstance(message, Failed):
            raise WorkerError(message.reason)
        elif isinstance(message, Taken):
            self._taken = message.number
        elif isinstance(message, Happened):
            self._happened(message, self.number)
        elif isinstance(message, SnapshotPart):
            self._take_part(message)

    def _take_part(self, part: SnapshotPart) -> None:
        if part.first:
            self.parts = []
        self.parts.append(part.part)
        if part.last:
            self.answered = part.number
            self._collect()

    def _write(self) -> None:
        try:
            self._pump()
        except OSError:
            # What it said last may still be there to read, and is more than that the pipe is broken.
            if self._loop is None:
                raise self._died() from None
        if self._loop is not None:
            self._loop.watch(self._channel.fileno(), self._on_ready, self._events())

    def _pump(self) -> None:
        while self._channel.resume() and self._waiting:
            self._channel.write(self._waiting.pop(0))

    def _events(self) -> int:
        return READ | WRITE if self._channel.writing or self._waiting else READ

    def _died(self) -> WorkerError:
        """Say how it ended, as far as can be known."""
        self._process.join(_DEATH_TIME)
        code = self._process.exitcode
        if code is None:
            how = "it has closed its connection"
        elif code < 0:
            how = f"killed by {signal.Signals(-code).name}"
        else:
            how = f"exit status {code}"
        return WorkerError(f"{self.name} has died ({how})")


def _child(
    config: Config, others: Sequence[Connection], theirs: Connection, pcap: Path | None, number: int,
    crew: Crew,
) -> None:
    """Be the forked process. Our own ends of the pipes are closed, so the supervisor's death reads as their end."""
    signal.set_wakeup_fd(-1)
    for connection in others:
        connection.close()
    try:
        worker_process(config, theirs, pcap, number, crew)
    except Exception:
        log.critical("worker %d has failed", number, exc_info=True)
        raise SystemExit(1) from None
    finally:
        logs.flush()
