"""A node under the lab's control: started, asked, ended or killed."""

from __future__ import annotations

import json
import os
import re
import select
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from alagg.control.client import ControlError, request
from alagg.lab.namespace import LabError, finish, python

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.lab.namespace import Namespace

_START_TIMEOUT: Final = 20.0
_STOP_TIMEOUT: Final = 15.0
_LARGEST_NOTICE: Final = 4096
_LOOK: Final = 0.01
"""Seconds between two looks at a status: each costs the node some of the processor that it may need to get there."""


class Node:
    """`alagg --config FILE` in a namespace; its log is kept beside its configuration."""

    def __init__(self, namespace: Namespace, config: Path) -> None:
        self.namespace = namespace
        self.config = config
        self.socket = config.with_suffix(".sock")
        self.log = config.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None
        self._notices: socket.socket | None = None

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process' id."""
        return self._started().pid

    def program(self, *arguments: str) -> list[str]:
        """Give the command line of `alagg` with these arguments."""
        return python("alagg", *arguments)

    def start(self, *, timeout: float = _START_TIMEOUT) -> None:
        """Start the node and wait until it says that it is ready.

        Raises:
            LabError: it ended, or was not ready in time; the text holds the end of its log.
        """
        self.begin()
        self.await_ready(timeout=timeout)

    def begin(self) -> None:
        """Start the node and do not wait for it."""
        if self.running:
            raise LabError(f"{self.namespace.name}: the node runs already")
        path = self.config.with_suffix(".notify")
        path.unlink(missing_ok=True)
        self._notices = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._notices.bind(str(path))
        with self.log.open("ab") as log:
            self._process = self.namespace.popen(
                self.program("--config", str(self.config)), stderr=log, variables={"NOTIFY_SOCKET": str(path)}
            )

    def await_ready(self, *, timeout: float = _START_TIMEOUT) -> None:
        """Wait until a node that was begun says that it is ready.

        Raises:
            LabError: it ended, or was not ready in time; the text holds the end of its log.
        """
        assert self._notices
        with self._notices as notices:
            self._await_ready(notices, timeout)

    def stop(self) -> int:
        """End the node as an administrator would (SIGTERM); give its exit status."""
        self.terminate()
        return self.await_end()

    def await_end(self) -> int:
        """Wait for a node that was told to end; give its exit status.

        Raises:
            LabError: it does not end.
        """
        process = self._started()
        try:
            return process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            raise LabError(f"{self.namespace.name}: the node did not end within {_STOP_TIMEOUT:g} s") from None
        finally:
            finish(process)
            if self._notices is not None:
                self._notices.close()

    def terminate(self) -> None:
        """Tell the node to end (SIGTERM) and do not wait for it."""
        self._started().send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the node as a crash would (SIGKILL), its children left behind."""
        self._started().send_signal(signal.SIGKILL)
        self.await_end()

    def close(self) -> None:
        """End the node as a crash would, if it runs, and give back what it held; one that was never started, too."""
        if self._process is not None:
            self.kill()

    def reload(self) -> None:
        """Let the node read its configuration again (SIGHUP)."""
        self._started().send_signal(signal.SIGHUP)

    def command(self, *arguments: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run another `alagg` command with this configuration, such as `cleanup`; the caller looks at its status."""
        command = self.program(*arguments, "--config", str(self.config))
        return self.namespace.run(command, timeout=timeout, check=False)

    def status(self) -> dict[str, Any]:
        """Give what `alagg status --json` shows."""
        try:
            return request(self.socket, "status")
        except ControlError as error:
            raise LabError(f"{self.namespace.name}: {error}\n{self.tail()}") from None

    def wait_status(self, wanted: Callable[[dict[str, Any]], object], *, timeout: float = 10) -> dict[str, Any]:
        """Wait until the status is as wanted, and give it."""
        deadline = time.monotonic() + timeout
        while not wanted(status := self.status()):
            if time.monotonic() > deadline:
                seen = f"{json.dumps(status)}\n{self.tail()}"
                raise LabError(f"{self.namespace.name}: not so within {timeout:g} s, but {seen}")
            time.sleep(_LOOK)
        return status

    def processes(self) -> list[int]:
        """Give the ids of the node's process and of its descendants."""
        found = [self.pid]
        for pid in found:
            for children in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, children.read_text().split())
        return found

    def memory(self) -> int:
        """Give the bytes of physical memory that the node and its children hold (resident, shared pages counted)."""
        return sum(_resident(pid) for pid in self.processes())

    def tail(self, lines: int = 15) -> str:
        """Give the end of the node's log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LabError(f"{self.namespace.name}: the node was not started")
        return self._process

    def _await_ready(self, notices: socket.socket, timeout: float) -> None:
        process = self._started()
        ended = os.pidfd_open(process.pid)
        deadline = time.monotonic() + timeout
        try:
            while (left := deadline - time.monotonic()) > 0:
                readable = select.select([notices.fileno(), ended], (), (), left)[0]
                if notices.fileno() in readable and b"READY=1" in notices.recv(_LARGEST_NOTICE).split(b"\n"):
                    return
                if ended in readable:
                    raise LabError(f"{self.namespace.name}: the node ended with {process.wait()}:\n{self.tail()}")
        finally:
            os.close(ended)
        self.kill()
        raise LabError(f"{self.namespace.name}: the node was not ready within {timeout:g} s:\n{self.tail()}")


def _resident(pid: int) -> int:
    with suppress(FileNotFoundError):
        match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(match[1]) * 1024 if match else 0
    return 0
