"""The observer: what it writes down of what it sees, how often it looks, and what is left of its rights."""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg import observer as module
from alagg.config import load
from alagg.control.client import ControlError
from alagg.history.keeper import Keeper
from alagg.observer import Clock, Observer
from tests.history.helpers import MB, T0, rows
from tests.memory_net import write_config

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT: Final = 20.0
STATUS: Final = {
    "uptime_s": 5.0, "peers": [], "links": [{"peer": "office", "name": "wan", "state": "up", "tx_bytes": 7}],
}  # fmt: skip


class Alarm:
    """Takes what alerts would take."""

    def __init__(self) -> None:
        self.taken: list[tuple[Any, Any]] = []

    def take(self, status: Any, events: Any, now: float) -> None:
        self.taken.append((status, list(events)))

    def close(self) -> None:
        pass


class Scene:
    """An observer in virtual time: what the node answers, what the clock says, and what came of it."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = directory / "history.db"
        self.status: dict[str, Any] | ControlError = STATUS
        self.now, self.passed = float(T0), 100.0
        monkeypatch.setattr(module, "request", self._request)
        monkeypatch.setattr(module, "time", SimpleNamespace(time=lambda: self.now, monotonic=lambda: self.passed))
        self.keeper = Keeper(self.path, 4 * MB)
        self.alarm = Alarm()
        self.restart()

    def _request(self, *_: object) -> dict[str, Any]:
        if isinstance(self.status, ControlError):
            raise self.status
        return self.status

    def restart(self) -> None:
        self.observer = Observer(self.path.with_name("alagg.sock"), self.keeper, self.alarm)  # type: ignore[arg-type]

    def observe(self, *events: dict[str, Any], after: float = 1.0, jump: float = 0.0) -> int:
        self.now, self.passed = self.now + after + jump, self.passed + after
        return self.observer.observe(list(events))


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    scene = Scene(tmp_path, monkeypatch)
    with closing(scene.keeper):
        yield scene


def test_looks_are_written_down_and_judged(scene: Scene) -> None:
    assert scene.observe() == 1
    scene.observe({"kind": "reloaded", "text": "reloaded: 1 peer", "at": T0 + 2.0})
    assert rows(scene.path, "SELECT time, covered FROM second") == [(T0 + 1, 0), (T0 + 2, 0)]
    assert rows(scene.path, "SELECT time, text FROM event") == [(T0 + 2.0, "reloaded: 1 peer")]
    assert [(status, len(events)) for status, events in scene.alarm.taken] == [(STATUS, 0), (STATUS, 1)]


def test_node_that_does_not_answer_is_looked_at_again(scene: Scene) -> None:
    scene.status = ControlError("no node listens")
    assert scene.observe() == 0
    scene.status = STATUS
    assert scene.observe() == 1
    assert [status for status, _ in scene.alarm.taken] == [{}, STATUS]


def test_what_happened_while_no_observer_ran_is_written_down(scene: Scene) -> None:
    scene.status = {"links": [{"peer": "office", "name": "wan", "state": "down", "reason": "no carrier"}]}
    scene.observe()
    scene.observe()
    scene.restart()
    scene.observe()
    scene.status = STATUS
    scene.restart()
    scene.observe()
    assert rows(scene.path, "SELECT time, text FROM event") == [
        (T0 + 1, "link wan to office is down: no carrier"), (T0 + 4, "link wan to office is up"),
    ]  # fmt: skip


@pytest.mark.parametrize(("jump", "told"), [(7200.0, "+7,200"), (-86400.0, "-86,400")])
def test_clock_that_jumps_is_written_down(scene: Scene, jump: float, told: str) -> None:
    scene.observe()
    scene.observe(jump=jump)
    scene.observe()
    (event,) = rows(scene.path, "SELECT time, text FROM event")
    assert event == (T0 + 2 + jump, f"this host's clock jumped by {told} s")
    assert rows(scene.path, "SELECT COUNT(*) FROM second") == [(3,)]


def test_clock_that_runs_as_it_should_is_steady() -> None:
    clock = Clock()
    assert [clock.jumped(1000.0 + 1.01 * passed, passed) for passed in range(100)] == [0.0] * 100
    assert clock.steady == 99.0
    assert clock.jumped(9000.0, 100.0) != 0
    assert clock.steady == 0.0


def test_observer_ends_while_it_waits(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(module, "request", lambda *_: STATUS)
    runs = threading.Thread(target=scene.observer.run)
    runs.start()
    scene.observer.stop()
    runs.join(WAIT)
    assert not runs.is_alive()


# --- the process --------------------------------------------------------------------------------------------------


class Node:
    """Answers at a control socket: the status, and an event for who asks for events."""

    def __init__(self, path: Path) -> None:
        self._server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._server.bind(str(path))
        self._server.listen()
        self._kept: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                if client.recv(100) == b"events\n":
                    client.sendall(b'{"kind": "reloaded", "text": "reloaded: 1 peer"}\n')
                    self._kept.append(client)
                    continue
                client.sendall(b'{"uptime_s": 5.0, "links": [{"peer": "office", "name": "wan", "state": "up"}]}')
                client.close()

    def close(self) -> None:
        for one in (self._server, *self._kept):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()


@contextmanager
def process(directory: Path, parent: int | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """Start an observer as a supervisor would."""
    path = directory / "node.cfg"
    write_config(path, {"office": ("10.99.0.2", ["eth0"])})
    path.write_text(path.read_text() + f"[history]\nkeep = yes\nfile = {directory}/var/history.db\n")
    config = load(path)
    command = [sys.executable, "-I", "-m", "alagg.observer", str(parent or os.getpid())]
    with closing(Node(config.control_socket)):
        observer = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        assert observer.stdin is not None
        with observer.stdin as pipe:
            pickle.dump(config, pipe)
        try:
            yield observer
        finally:
            observer.kill()
            observer.wait()
            assert observer.stderr is not None
            observer.stderr.close()


def events_of(path: Path) -> int:
    try:
        ((count,),) = rows(path, "SELECT (SELECT COUNT(*) FROM event) * (SELECT COUNT(*) FROM second)")
    except Exception:  # noqa: BLE001 - it is being made
        return 0
    return int(count)


def test_process_keeps_a_history_without_rights_and_ends_when_told(tmp_path: Path) -> None:
    path = tmp_path / "var" / "history.db"
    with process(tmp_path) as observer:
        limit = time.monotonic() + WAIT
        while not (path.exists() and events_of(path)):
            assert time.monotonic() < limit
            assert observer.poll() is None
            time.sleep(0.02)
        status = Path(f"/proc/{observer.pid}/status").read_text()
        for capabilities in ("CapEff", "CapPrm", "CapBnd"):
            assert f"{capabilities}:\t0000000000000000" in status
        assert "NoNewPrivs:\t1" in status
        observer.send_signal(signal.SIGTERM)
        assert observer.wait(WAIT) == 0
        assert observer.stderr is not None
        assert observer.stderr.read() == b""
    assert [file.name for file in path.parent.iterdir()] == ["history.db"]


def test_process_ends_where_its_supervisor_has_gone(tmp_path: Path) -> None:
    with process(tmp_path, parent=1) as observer:
        assert observer.wait(WAIT) == 0
    assert not (tmp_path / "var").exists()
