"""Companion: starts the observer beside the node where the configuration wants one, and anew when it has died.

All of it happens in a thread: not even for the start of a program does the supervisor wait for a disk.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.config import Config

PAUSE: Final = 1.0
"""Seconds until an observer that has died is started anew; twice as long each time, up to `LONGEST`."""
LONGEST: Final = 60.0
WELL: Final = 60.0
"""Seconds after which one that dies had worked: the pauses begin anew."""
END_TIME: Final = 1.5
"""Seconds that it has to end by itself."""
COMMAND: Final = (sys.executable, "-I", "-m", "alagg.observer")
"""The observer; it reads a pickled configuration from its standard input, and takes its parent's number."""

log = logging.getLogger(__name__)


class Companion:
    """The observer of a node, or none."""

    def __init__(self, config: Config, command: Sequence[str] = COMMAND) -> None:
        """Start one where it is wanted."""
        self._command = [*command, str(os.getpid())]
        self._changed = threading.Condition()
        self._config: Config | None = None
        self._ended = False
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self.follow(config)

    def follow(self, config: Config) -> None:
        """Go by another configuration."""
        with self._changed:
            before = self._config
            if before is not None and (before.history, before.alerts) == (config.history, config.alerts):
                return
            self._config = config
            self._signal(signal.SIGTERM)
            self._changed.notify()
        if self._thread is None and is_wanted(config):
            self._thread = threading.Thread(target=self._keep, name="alagg-companion", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End the observer and what it has started."""
        with self._changed:
            self._ended = True
            self._signal(signal.SIGTERM)
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(END_TIME)
            with self._changed:
                self._signal(signal.SIGKILL)
            self._thread.join(END_TIME)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _keep(self) -> None:
        pause = PAUSE
        while (config := self._await_wanted()) is not None:
            began = time.monotonic()
            status = self._run(config)
            if self._ended or self._config is not config:
                pause = PAUSE
                continue
            if time.monotonic() - began > WELL:
                pause = PAUSE
            log.warning("the observer has ended (%s); it is started anew in %.0f s", _in_words(status), pause)
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._config is not config, pause)
            pause = min(2 * pause, LONGEST)

    def _await_wanted(self) -> Config | None:
        with self._changed:
            self._changed.wait_for(lambda: self._ended or (self._config is not None and is_wanted(self._config)))
            return None if self._ended else self._config

    def _run(self, config: Config) -> int | None:
        """Run an observer to its end, and give its status; None where none could be started."""
        try:
            # A session of its own: whatever it starts for an alert can be found, and is ended with it.
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE, start_new_session=True)  # noqa: S603 - ours
        except OSError as error:
            log.warning("no observer can be started: %s", error)
            return None
        with self._changed:
            self._process = process
            if self._ended or self._config is not config:
                process.terminate()
        assert process.stdin is not None
        with contextlib.suppress(OSError), process.stdin as pipe:
            pickle.dump(config, pipe)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        with self._changed:
            self._process = None
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # its number is its own until the next line
            return process.wait()


def is_wanted(config: Config) -> bool:
    """Tell whether there is anything to observe for."""
    return config.history.keep or config.alerts.wanted


def _in_words(status: int | None) -> str:
    if status is None:
        return "it could not be started"
    return f"signal {-status}" if status < 0 else f"exit status {status}"
