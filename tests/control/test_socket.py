"""The control socket: who may listen, who may ask, and that no client holds the node up."""

from __future__ import annotations

import grp
import json
import os
import socket
import stat
import threading
from typing import TYPE_CHECKING, Any

import pytest

from alagg.control import socket as control
from alagg.control.client import request
from alagg.control.clients import MAX_EVENTS, MAX_REQUEST, MAX_SUBSCRIBERS, Client
from alagg.control.loop import Loop
from alagg.control.socket import MAX_CLIENTS, ControlError, ControlServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bench:
    """A server and its loop; what is asked with `later` is answered when a test says so."""

    def __init__(self, path: Path, group: str = "") -> None:
        self.loop = Loop()
        self.path = path
        self.waiting: list[Client] = []
        self.clients: list[socket.socket] = []
        requests = {
            "status": lambda client, rest: client.answer({"asked": rest}),
            "long": lambda client, _: client.answer({"long": "x" * 2_000_000}),
            "later": lambda client, _: self.waiting.append(client),
            "events": lambda client, _: client.subscribe(),
            "fail": self.fail,
        }
        self.server = ControlServer(path, group, self.loop, requests)

    def fail(self, client: Client, rest: str) -> None:
        raise RuntimeError("the worker is gone")

    def connect(self, says: bytes = b"") -> socket.socket:
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        client.settimeout(0.05)
        client.connect(str(self.path))
        client.sendall(says)
        self.clients.append(client)
        return client

    def serve(self, rounds: int = 20) -> None:
        for _ in range(rounds):
            self.loop.step(0)

    def ask(self, says: bytes) -> Any:
        client = self.connect(says)
        self.serve()
        return self.read(client)

    def read(self, client: socket.socket) -> Any:
        """Give the object that a client reads, and after it the end."""
        data = b""
        while True:
            try:
                part = client.recv(1 << 20)
            except TimeoutError:
                self.serve()
                continue
            data += part
            if not part:
                return json.loads(data)

    def events(self, client: socket.socket) -> list[dict[str, Any]]:
        """Give the events that a client can read now."""
        data = b""
        try:
            while True:
                data += client.recv(1 << 20)
                self.serve()
        except TimeoutError:
            return [json.loads(line) for line in data.splitlines()]

    def closed(self, client: socket.socket) -> bool:
        """Tell whether the node has hung up."""
        try:
            return client.recv(1) == b""
        except TimeoutError:
            return False

    def close(self) -> None:
        for client in self.clients:
            client.close()
        self.server.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "node.sock"


@pytest.fixture
def bench(path: Path) -> Iterator[Bench]:
    bench = Bench(path)
    yield bench
    bench.close()


def listen(path: Path, group: str = "") -> ControlServer:
    return ControlServer(path, group, Loop(), {})


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- asking -------------------------------------------------------------------------------------------------------


def test_one_line_in_one_object_out(bench: Bench) -> None:
    assert bench.ask(b"status of things\n") == {"asked": "of things"}
    assert bench.server.clients == []


def test_the_clients_of_the_package_understand_it(bench: Bench) -> None:
    answers: list[Any] = []
    thread = threading.Thread(target=lambda: answers.append(request(bench.path, "status")))
    thread.start()
    while not answers:
        bench.loop.step(0.01)
    thread.join()
    assert answers == [{"asked": ""}]


def test_end_of_what_a_client_says_ends_its_line(bench: Bench) -> None:
    client = bench.connect(b"sta")
    bench.serve()
    client.sendall(b"tus")
    client.shutdown(socket.SHUT_WR)
    bench.serve()
    assert bench.read(client) == {"asked": ""}


def test_unknown_request_is_refused_with_what_is_allowed(bench: Bench) -> None:
    assert bench.ask(b"reboot now\n") == {
        "error": "unknown request 'reboot'; allowed: events, fail, later, long, status"
    }
    assert "unknown request" in bench.ask(b"\xff\x00\n")["error"]
    assert "unknown request" in bench.ask(b"\n")["error"]


def test_line_that_is_too_long_is_refused(bench: Bench) -> None:
    client = bench.connect(b"x" * 3 * MAX_REQUEST)
    bench.serve()
    assert bench.read(client) == {"error": f"the line is longer than {MAX_REQUEST} bytes"}


def test_answers_may_come_later_and_in_another_order(bench: Bench) -> None:
    first, second = bench.connect(b"later\n"), bench.connect(b"later\n")
    bench.serve()
    assert bench.ask(b"status\n") == {"asked": ""}, "nobody waits for those whose answer is not there"
    for number, client in enumerate(reversed(bench.waiting)):
        client.answer({"number": number})
    assert (bench.read(first), bench.read(second)) == ({"number": 1}, {"number": 0})


def test_error_in_a_request_reaches_the_node(bench: Bench) -> None:
    """Only the client's own troubles are kept quiet."""
    bench.connect(b"fail\n")
    with pytest.raises(RuntimeError):
        bench.serve()


# --- clients that do not behave -----------------------------------------------------------------------------------


def test_a_hundred_silent_clients_keep_nobody_waiting(bench: Bench) -> None:
    silent = [bench.connect() for _ in range(100)]
    bench.serve(200)
    assert len(bench.server.clients) == MAX_CLIENTS
    assert bench.ask(b"status\n") == {"asked": ""}
    assert bench.closed(silent[0]), "the oldest made room"


def test_clients_that_ask_in_vain_are_given_up(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that never asks, one that asks half, one that does not read: all cost a bounded time."""
    monkeypatch.setattr(control, "PATIENCE", 0.01)
    stalling = [bench.connect(says) for says in (b"", b"sta", b"long\n")]
    bench.serve(len(stalling))
    while bench.server.clients:
        bench.loop.step(0.01)
    bench.loop.step(0)
    assert all(bench.closed(client) for client in stalling[:2])


def test_a_slow_reader_gets_all_of_it(bench: Bench) -> None:
    client = bench.connect(b"long\n")
    bench.serve()
    assert bench.ask(b"status\n") == {"asked": ""}, "nobody waits for it"
    assert bench.read(client) == {"long": "x" * 2_000_000}


def test_answers_that_nobody_reads_take_bounded_memory(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MAX_PENDING", 5_000_000)
    readers = [bench.connect(b"long\n") for _ in range(6)]
    bench.serve(50)
    assert sum(client.pending for client in bench.server.clients) <= control.MAX_PENDING
    assert bench.read(readers[-1]) == {"long": "x" * 2_000_000}


@pytest.mark.parametrize("says", [b"", b"sta", b"status\n", b"later\n", b"long\n", b"events\n"])
def test_clients_that_vanish_are_forgotten(bench: Bench, says: bytes) -> None:
    client = bench.connect(says)
    bench.serve(3)
    client.close()
    bench.serve()
    bench.server.publish({"kind": "something"})
    bench.serve()
    assert bench.server.clients == []
    for one in bench.waiting:
        one.answer({"too": "late"})
    assert bench.ask(b"status\n") == {"asked": ""}


def test_when_all_wait_for_their_answers_another_one_is_refused(bench: Bench) -> None:
    for _ in range(MAX_CLIENTS):
        bench.connect(b"later\n")
        bench.serve(3)
    assert bench.ask(b"status\n") == {"error": "too many clients"}


def test_who_waits_is_told_that_the_node_ends(bench: Bench) -> None:
    client = bench.connect(b"later\n")
    bench.serve()
    bench.server.close()
    assert bench.read(client) == {"error": "the node ends"}


# --- events -------------------------------------------------------------------------------------------------------


def test_events_go_to_all_who_asked(bench: Bench) -> None:
    readers = [bench.connect(b"events\n") for _ in range(2)]
    bench.serve()
    for number in range(3):
        bench.server.publish({"kind": "test", "number": number})
    for reader in readers:
        assert [event["number"] for event in bench.events(reader)] == [0, 1, 2]
        assert not bench.closed(reader)


def test_who_does_not_read_loses_the_oldest_and_learns_how_many(bench: Bench) -> None:
    reader = bench.connect(b"events\n")
    bench.serve()
    count = 20 * MAX_EVENTS
    for number in range(count):
        bench.server.publish({"kind": "test", "number": number, "text": "x" * 1000})
    found = bench.events(reader)
    dropped = [event for event in found if event["kind"] == "dropped"]
    kept = [event["number"] for event in found if event["kind"] == "test"]
    assert kept == sorted(kept)
    assert kept[-1] == count - 1
    assert sum(event["count"] for event in dropped) == count - len(kept) > 0
    assert all({"time", "text"} <= event.keys() for event in dropped)


def test_readers_of_events_leave_room_for_others(bench: Bench) -> None:
    for _ in range(MAX_SUBSCRIBERS):
        bench.connect(b"events\n")
    bench.serve(100)
    assert "read events already" in bench.ask(b"events\n")["error"]
    assert bench.ask(b"status\n") == {"asked": ""}


# --- the place --------------------------------------------------------------------------------------------------


def test_socket_is_for_its_owner_alone(bench: Bench, path: Path) -> None:
    assert permissions(path) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to any group")
def test_socket_is_for_a_group_when_configured(path: Path) -> None:
    server = listen(path, "daemon")
    assert permissions(path) == 0o660
    assert path.stat().st_gid == grp.getgrnam("daemon").gr_gid
    server.close()


def test_unknown_group_is_refused_in_one_line(path: Path) -> None:
    with pytest.raises(ControlError, match=r"^control_group = nobody-has-this: there is no such group on this host$"):
        listen(path, "nobody-has-this")


def test_close_removes_the_file_and_may_be_called_twice(bench: Bench, path: Path) -> None:
    bench.server.close()
    assert not path.exists()
    bench.server.close()


def test_socket_of_a_killed_node_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(path))
        killed.listen()
    bench = Bench(path)
    assert bench.ask(b"status\n") == {"asked": ""}
    bench.close()


def test_second_node_is_refused_and_the_first_stays(bench: Bench, path: Path) -> None:
    with pytest.raises(ControlError, match="another node listens here"):
        listen(path)
    bench.serve()  # the second one's question whether somebody is there
    assert bench.ask(b"status\n") == {"asked": ""}


def test_other_file_in_its_place_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(ControlError, match="exists and is not a socket"):
        listen(path)
    assert path.read_text() == "precious"


def test_impossible_place_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ControlError, match=rf"^{tmp_path}/file: [^\n]+: File exists$"):
        listen(tmp_path / "file" / "node.sock")


def test_path_too_long_for_a_socket_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"^[^\n]+: AF_UNIX path too long$"):
        listen(tmp_path / ("long" * 40))
