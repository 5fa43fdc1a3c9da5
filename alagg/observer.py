"""Observer: a process beside the node that writes down what it does, and tells people when something is wrong.

It is a client of the control socket like any other: neither the workers nor the supervisor ever wait for it, for the
disk that it writes to, or for whom it tells. It has no rights to change anything, and ends with its supervisor.
"""

from __future__ import annotations

import logging
import os
import pickle
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from alagg.alerts import Alerts
from alagg.control import logs
from alagg.control.client import ControlError, request
from alagg.control.listener import Listener
from alagg.history.keeper import Keeper
from alagg.history.look import Look, missed
from alagg.system import rights

if TYPE_CHECKING:
    from pathlib import Path

    from alagg.config import Config

INTERVAL: Final = 1.0
"""Seconds between two looks; after something has happened there is one sooner."""
GAP: Final = 0.25
"""Seconds between two looks at least."""
EASE: Final = 50.0
"""Times as long as an answer took that the next look waits: what the node spends on it stays below a fiftieth."""
MAX_EASE: Final = 10.0
"""Seconds that this makes it wait at most."""
ROWS: Final = 100
"""Rows a second at most: with more links and peers the looks are rarer."""
JUMP: Final = 2.0
"""Seconds by which the clock must differ from what has passed to be called a jump."""

log = logging.getLogger(__name__)


class Observer:
    """Looks at a node again and again."""

    def __init__(self, socket: Path, keeper: Keeper | None, alerts: Alerts | None) -> None:
        """Look at the node behind a control socket; write to `keeper`, and tell `alerts`, where there is one."""
        self._socket = socket
        self._keeper, self._alerts = keeper, alerts
        self._look = Look()
        self._wake, self._ended = threading.Event(), threading.Event()
        self._clock = Clock()
        self._seen = False
        """Whether the node has said how it is."""
        self.running = True

    def run(self) -> None:
        """Look until told to end."""
        listener = Listener(self._socket, self._wake.set)
        while self.running:
            began = time.monotonic()
            rows = self.observe(listener.take())
            took = time.monotonic() - began
            # However much happens, there are four looks a second at most.
            self._ended.wait(min(max(GAP, EASE * took), MAX_EASE))
            self._wake.wait(max(INTERVAL, rows / ROWS) - GAP)
            self._wake.clear()
        listener.close()

    def stop(self) -> None:
        """End soon."""
        self.running = False
        self._ended.set()
        self._wake.set()

    def observe(self, events: list[dict[str, Any]]) -> int:
        """Look once, and give how many rows that made."""
        try:
            status = request(self._socket, "status")
        except ControlError as error:
            log.debug("no look: %s", error)
            status = {}
        now, passed = time.time(), time.monotonic()
        jumped = self._clock.jumped(now, passed)
        if jumped:
            text = f"this host's clock jumped by {jumped:+,.0f} s"
            events = [*events, {"kind": "clock_jumped", "at": now, "text": text}]
        samples = self._look.take(status) if status else {}
        if self._keeper is not None and status and not self._seen:
            events = [*missed(status, self._keeper.states(), now), *events]
        self._seen = self._seen or bool(status)
        if self._keeper is not None and (samples or events):
            self._keeper.write(now, passed, samples, events, self._clock.steady)
        if self._alerts is not None:
            self._alerts.take(status, events, passed)
        return len(samples)


class Clock:
    """Compares the host's clock with the time that has passed."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._ahead: float | None = None
        self._since = 0.0
        self.steady = 0.0
        """Seconds since the clock jumped, or since it was looked at first."""

    def jumped(self, now: float, passed: float) -> float:
        """Give by how many seconds the clock has jumped since the last call, forwards or back; 0 for not at all."""
        before, self._ahead = self._ahead, now - passed
        jump = 0.0 if before is None else self._ahead - before
        if before is None or abs(jump) >= JUMP:
            self._since = passed
        self.steady = passed - self._since
        return jump if abs(jump) >= JUMP else 0.0


def main() -> int:
    """Observe the node whose supervisor, our parent, has put its configuration on standard input; give the status."""
    config: Config = pickle.load(sys.stdin.buffer)  # noqa: S301 - by our own parent, over a pipe
    if not rights.end_with(int(sys.argv[1])):
        return 0
    logs.set_up(config.log_level, config.log_format)
    logs.start()
    try:
        _observe(config)
    finally:
        logs.flush()
    return 0


def _observe(config: Config) -> None:
    keeper = None
    if config.history.keep:
        os.umask(0o027)
        keeper = Keeper(config.history.file, config.history.size, config.control_group)
        keeper.open(time.monotonic())  # with all rights, as it may have to make the directory
    alerts = Alerts(config.alerts) if config.alerts.wanted else None
    rights.give_up()
    observer = Observer(config.control_socket, keeper, alerts)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: observer.stop())
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    observer.run()
    if alerts is not None:
        alerts.close()
    if keeper is not None:
        keeper.close()
    if os.getpgrp() == os.getpid():  # what was started for an alert goes, too
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
