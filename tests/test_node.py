"""The supervisor: what it sets up and undoes in which order, and what it makes of signals, clients and deaths."""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import socket
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg import form
from alagg import workers as workers_module
from alagg.config import load
from alagg.control.counters import find
from alagg.control.parts import Part
from alagg.control.socket import ControlError
from alagg.engine.events import LinkStateChanged
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
from alagg.node import run
from alagg.system import HostError
from alagg.system.journal import Change, Journal
from alagg.system.netlink import ETHERNET, Interface
from alagg.workers import WorkerError
from tests.engine.helpers import TWO, networks
from tests.fake_filters import FakeFilters
from tests.fake_host import LOCAL, FakeHost, FakeNotifier, FakeWatcher
from tests.memory_net import write_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection
    from pathlib import Path

    from alagg.config import Config

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def facts_of(index: int, reason: str = "", queues: str = "its queueing discipline is not known") -> InterfaceFacts:
    """Give what the workers hear of an interface that `ethernet` has made."""
    return InterfaceFacts(index, 1500, reason, queues, bytes(6))


def ethernet(name: str, *, index: int = 2, up: bool = True, carrier: bool = True) -> Interface:
    return Interface(index, name, bytes(6), 1500, up, carrier, ETHERNET)


END = ["host withdrawn while the worker works", "watcher closed", "host closed while the worker has ended"]


class Stage:
    """Everything around a supervisor, faked: what happens goes on `log`, and each READY starts the next step."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = self.write("eth0", "eth1")
        self.log: list[str] = []
        self.steps: list[Callable[[], object]] = []
        self.interfaces = [ethernet("eth0"), ethernet("eth1", index=3)]
        self.refusal: dict[str, HostError] = {}
        """What the host refuses with, by the verb."""
        self.changed = socket.socketpair()
        self.filters = FakeFilters()

    def write(self, *interfaces: str, **options: str) -> Config:
        return write_config(self.directory / "node.cfg", {"peer": (TWO, interfaces)}, **options)

    def signal(self, number: int) -> Callable[[], object]:
        return lambda: os.kill(os.getpid(), number)

    def run(self, *steps: Callable[[], object]) -> int:
        """Run a node; each step is done when it is ready (again), and after the last one SIGTERM comes."""
        self.steps = [*steps, self.signal(signal.SIGTERM)]
        return run(self.config)

    def host_changes(self, *interfaces: Interface) -> None:
        self.interfaces = list(interfaces)
        self.changed[1].send(b"!")

    def ask(self, request: bytes = b"status\n") -> dict[str, Any]:
        """Run a node, ask it as a client, end it when the answer has come, and give that."""
        answers: list[dict[str, Any]] = []
        self.steps = [lambda: threading.Thread(target=self._ask, args=(request, answers)).start(), lambda: None]
        assert run(self.config) == 0
        (answer,) = answers
        return answer

    def _ask(self, request: bytes, answers: list[dict[str, Any]]) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(20)
            client.connect(str(self.config.control_socket))
            client.sendall(request)
            answers.append(json.loads(client.makefile().readline()))
        os.kill(os.getpid(), signal.SIGTERM)

    def told(self) -> list[Any]:
        """Give what the worker was told, in order."""
        path = self.directory / "told"
        return path.read_text().splitlines() if path.exists() else []

    def worker(self) -> str:
        return "has ended" if "Stop()" in self.told() else "works"

    def close(self) -> None:
        for end in self.changed:
            end.close()
        self.filters.end()


def obedient(config: Config, connection: Connection, pcap: Path | None, number: int, *_: object) -> None:
    """Be a worker that writes down what it is told."""
    connection.send(Ready())
    with (config.path.parent / "told").open("w", buffering=1) as told:
        while True:
            message = connection.recv()
            told.write(f"{message}\n")
            if isinstance(message, SnapshotRequest):
                connection.send(SnapshotPart(message.number, Part({"epoch": 7}, "", ""), first=True, last=True))
            if isinstance(message, Reconfigure):
                connection.send(Taken(message.number))
            if isinstance(message, Stop):
                return


def mortal(config: Config, connection: Connection, pcap: Path | None, number: int, *_: object) -> None:
    """Be a worker that dies as soon as it hears of the host."""
    connection.send(Ready())
    connection.recv()


def deaf(config: Config, connection: Connection, pcap: Path | None, number: int, *_: object) -> None:
    """Be a worker that starts, and then neither answers nor ends."""
    connection.send(Ready())
    time.sleep(60)


def dead(config: Config, connection: Connection, pcap: Path | None, number: int, *_: object) -> None:
    """Be a worker that crashes at once."""


def failing(config: Config, connection: Connection, pcap: Path | None, number: int, *_: object) -> None:
    """Be a worker that cannot work."""
    connection.send(Failed("cannot capture from NFQUEUE 1"))


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    monkeypatch.setattr("alagg.system.host.Host", lambda config, journal: FakeHost(stage, config))
    monkeypatch.setattr("alagg.system.netlink.Watcher", lambda: FakeWatcher(stage))
    monkeypatch.setattr("alagg.system.filters.Filters", lambda: stage.filters)
    monkeypatch.setattr("sdnotify.SystemdNotifier", lambda: FakeNotifier(stage))
    monkeypatch.setattr(workers_module, "worker_process", obedient)
    before = [signal.getsignal(number) for number in SIGNALS]
    yield stage
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert signal.set_wakeup_fd(-1) == -1
    assert not stage.config.control_socket.exists()
    assert not stage.config.journal.exists()
    stage.close()


# --- life -------------------------------------------------------------------------------------------------------


def test_life_in_order(stage: Stage) -> None:
    """The worker listens before the host hands packets over, and until after it has stopped to."""
    assert stage.run() == 0
    assert stage.log == ["host made", "host opened", "host set up", "READY", "STOPPING", *END]
    assert stage.told() == [str(HostFacts({"eth0": facts_of(2), "eth1": facts_of(3)}, networks(LOCAL))), "Stop()"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_node(stage: Stage, number: int) -> None:
    assert stage.run(stage.signal(number)) == 0
    assert stage.log[-3:] == END


def test_what_a_killed_node_left_is_undone_and_told(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("alagg.system.journal._undo_kind", lambda kind, facts: [f"{kind} of old"])
    left = Journal(stage.config.journal)
    left.record(Change("rule", {"chain": "OUTPUT"}))
    os.close(left._descriptor)
    stage.run()
    assert "a node that was killed left this behind: rule of old" in caplog.messages


def test_host_that_refuses_ends_the_node_and_everything_is_undone(stage: Stage) -> None:
    stage.refusal["set up"] = HostError("device alagg0: exists already")
    with pytest.raises(HostError, match="exists already"):
        stage.run()
    assert stage.log[-3:] == END
    assert stage.told()[-1] == "Stop()"


def test_second_node_with_the_same_socket_is_refused_before_it_touches_anything(stage: Stage) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as other:
        other.bind(str(stage.config.control_socket))
        other.listen()
        with pytest.raises(ControlError, match="another node listens here"):
            stage.run()
    assert stage.log == []
    stage.config.control_socket.unlink()


# --- workers that fail ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("worker", "reason"), [
    (failing, "cannot capture from NFQUEUE 1"),
    (dead, "the worker process has died"),
])
def test_worker_that_cannot_start(stage: Stage, worker: object, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "worker_process", worker)
    with pytest.raises(WorkerError, match=reason):
        stage.run()
    assert stage.log == [], "the host was not touched"


def test_worker_that_dies_ends_the_node_in_one_line(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers_module, "worker_process", mortal)
    stage.steps = [lambda: None]
    with pytest.raises(WorkerError) as died:
        run(stage.config)
    assert "\n" not in str(died.value)
    assert stage.log[-3:-1] == END[:2]


def test_worker_that_died_before_it_was_told_something(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken pipe is the same death, met a moment earlier."""
    monkeypatch.setattr(workers_module, "worker_process", mortal)

    def reload_when_dead() -> None:
        for worker in multiprocessing.active_children():
            worker.join()
        stage.signal(signal.SIGHUP)()

    stage.steps = [reload_when_dead, lambda: None]
    with pytest.raises(WorkerError, match="the worker process has died"):
        run(stage.config)


def test_worker_that_hangs_is_killed(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(workers_module, "worker_process", deaf)
    monkeypatch.setattr(workers_module, "ANSWER_TIME", 0.05)
    monkeypatch.setattr(workers_module, "STOP_TIME", 0.05)
    assert stage.ask() == {"error": "the worker process does not answer"}
    assert "the worker process did not end by itself; killing it" in caplog.messages


# --- reload (defect 10) -----------------------------------------------------------------------------------------


def test_defect_10_sighup_takes_the_file_anew(stage: Stage) -> None:
    """The 2015 program had no reload."""

    def change() -> None:
        stage.write("eth1")
        os.kill(os.getpid(), signal.SIGHUP)

    assert stage.run(change) == 0
    assert stage.log[4:8] == ["RELOADING", "host reload", "host update", "READY"]
    expected = Reconfigure(load(stage.config.path), 1)
    facts = HostFacts({"eth1": facts_of(3)}, networks(LOCAL))
    assert stage.told()[1:3] == [str(expected), str(facts)]


def test_wrong_file_keeps_everything(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    def spoil() -> None:
        path = stage.config.path
        path.write_text(path.read_text().replace("[alagg]", "[alagg]\nqueue = many"))
        os.kill(os.getpid(), signal.SIGHUP)

    assert stage.run(spoil) == 0
    (line,) = [line for line in caplog.messages if line.startswith("not reloaded")]
    assert "[alagg] queue = many" in line
    assert not [line for line in stage.told() if line.startswith("Reconfigure")]
    assert stage.log[4:6] == ["RELOADING", "READY"]


def test_file_that_the_host_refuses_keeps_everything(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.refusal["reload"] = HostError("rule refused")
    assert stage.run(stage.signal(signal.SIGHUP)) == 0
    assert "not reloaded: rule refused" in caplog.messages
    assert not [line for line in stage.told() if line.startswith("Reconfigure")]


def test_options_that_need_a_restart_stay_and_are_named(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    def change() -> None:
        stage.write("eth0", "eth1", queue="9", workers="2", copies="1")
        os.kill(os.getpid(), signal.SIGHUP)

    stage.run(change)
    for key in ("queue", "workers"):
        line = f"[alagg] {key} has changed; that takes effect after a restart"
        assert any(line in message for message in caplog.messages)
    (line,) = [line for line in stage.told() if line.startswith("Reconfigure")]
    assert "queue=1, workers=1," in line
    assert "copies=1," in line


# --- the host changes (defect 10) -------------------------------------------------------------------------------


def test_defect_10_worker_hears_of_every_change_of_an_interface(stage: Stage) -> None:
    """The 2015 program knew no hot-plug."""

    def change() -> None:
        stage.host_changes(
            ethernet("eth0", up=False, carrier=False), ethernet("eth1", index=9, carrier=False), ethernet("other")
        )
        os.kill(os.getpid(), signal.SIGTERM)

    stage.steps = [change]
    assert run(stage.config) == 0
    expected = HostFacts(
        {"eth0": facts_of(2, "the interface is down"), "eth1": facts_of(9, "no carrier")},
        networks(LOCAL),
    )
    assert stage.told()[1] == str(expected)
    assert stage.log.count("host update") == 1


def test_host_that_refuses_to_follow_does_not_end_the_node(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Interfaces may come and go faster than we can look: the worker must hear of it all the same."""
    stage.refusal["update"] = HostError("interface 7: No such device")

    def change() -> None:
        stage.host_changes(ethernet("eth1"))
        os.kill(os.getpid(), signal.SIGTERM)

    stage.steps = [change]
    assert run(stage.config) == 0
    assert caplog.messages.count("cannot follow a change of the host: interface 7: No such device") == 1
    assert len([line for line in stage.told() if line.startswith("HostFacts")]) == 2


# --- clients ----------------------------------------------------------------------------------------------------


def test_status_tells_of_the_node_and_of_the_worker(stage: Stage) -> None:
    answer = stage.ask()
    assert (answer["pid"], answer["epoch"]) == (os.getpid(), 7)
    assert (answer["engine"], answer["edges"]) == (form.engine(), form.edges())
    assert {"version", "uptime_s"} <= answer.keys()
    assert {name for name in answer if find("node", name) is None} == set()


@pytest.mark.parametrize("line", ["", "engine: plain form"])
def test_what_is_not_compiled_is_told_once(
    stage: Stage, line: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(form, "shortfall", lambda: line)
    with caplog.at_level(logging.INFO):
        assert stage.run() == 0
    assert caplog.messages.count(line) == bool(line)


def test_unknown_request_is_refused_with_what_is_allowed(stage: Stage) -> None:
    assert stage.ask(b"reboot\n")["error"].endswith("; allowed: events, link, ping, reload, speed, status")


def test_a_client_can_set_a_link_and_a_reload_returns_to_the_file(stage: Stage) -> None:
    answer = stage.ask(b'link {"do": "set", "link": "eth0", "values": {"weight": "7"}}\n')
    assert (answer["text"], answer["section"]["weight"]) == ("link eth0 to peer goes by weight = 7", "7")
    assert stage.log[3:6] == ["READY", "host reload", "host update"]
    (told,) = [line for line in stage.told() if line.startswith("Reconfigure")]
    assert "weight=7" in told


def test_a_client_can_reload_and_learns_what_came_of_it(stage: Stage) -> None:
    stage.write("eth1", queue="9")
    answer = stage.ask(b"reload\n")
    assert (answer["ok"], answer["text"]) == (True, "1 peer over 1 link")
    assert any("[alagg] queue has changed; that takes effect after a restart" in line for line in answer["warnings"])
    assert any(line.startswith("Reconfigure") for line in stage.told())


def test_a_client_learns_why_a_file_is_refused(stage: Stage) -> None:
    path = stage.config.path
    path.write_text(path.read_text().replace("[alagg]", "[alagg]\nqueue = many"))
    assert "[alagg] queue = many" in stage.ask(b"reload\n")["error"]


def test_a_client_reads_events(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def eventful(config: Config, connection: Connection, pcap: Path | None, number: int, *_: object) -> None:
        connection.send(Ready())
        while not isinstance(connection.recv(), Stop):
            connection.send(Happened([(1.0, LinkStateChanged("peer", "eth0", "down", "no carrier"))]))

    monkeypatch.setattr(workers_module, "worker_process", eventful)
    monkeypatch.setattr(Stage, "_ask", read_one_event)
    answer = stage.ask()
    assert (answer["kind"], answer["link"], answer["state"]) == ("link_state_changed", "eth0", "down")


def read_one_event(stage: Stage, _: bytes, answers: list[dict[str, Any]]) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(20)
        client.connect(str(stage.config.control_socket))
        client.sendall(b"events\n")
        time.sleep(0.1)
        stage.host_changes(*stage.interfaces[:1])
        answers.append(json.loads(client.makefile().readline()))
    os.kill(os.getpid(), signal.SIGTERM)

# --- the observer -------------------------------------------------------------------------------------------------


def test_observer_follows_the_configuration_and_ends_before_the_host_is_left(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FakeCompanion:
        def __init__(self, config: Config) -> None:
            stage.log.append(f"observer: keep {config.history.keep}")

        follow = __init__

        def close(self) -> None:
            stage.log.append("observer ended")

    def want() -> None:
        stage.config.path.write_text(f"{stage.config.path.read_text()}[history]\nkeep = yes\n")
        os.kill(os.getpid(), signal.SIGHUP)

    monkeypatch.setattr("alagg.node.Companion", FakeCompanion)
    assert stage.run(want) == 0
    told = [line for line in stage.log if "observer" in line or line in ("READY", END[0])]
    assert told == ["observer: keep False", "READY", "observer: keep True", "READY", "observer ended", END[0]]
