"""The control socket: who may listen, who may ask, and that no client holds the node up."""

from __future__ import annotations

import grp
import json
import os
import socket
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from alagg.control import socket as control
from alagg.control.client import request
from alagg.control.socket import MAX_REQUEST, ControlError, ControlServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run" / "node.sock"


@pytest.fixture
def server(path: Path) -> Iterator[ControlServer]:
    server = ControlServer(path, "")
    yield server
    server.close()


def answer(request: str) -> dict[str, object]:
    return {"asked": request}


def connect(path: Path) -> socket.socket:
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(10)
    client.connect(str(path))
    return client


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_one_line_in_one_object_out(server: ControlServer, path: Path) -> None:
    with connect(path) as client:
        client.sendall(b"status\n")
        server.serve(answer)
        assert json.loads(client.recv(1000)) == {"asked": "status"}
        assert client.recv(1) == b""


def test_the_clients_of_the_package_understand_it(server: ControlServer, path: Path) -> None:
    server._socket.setblocking(True)
    thread = threading.Thread(target=server.serve, args=(answer,))
    thread.start()
    assert request(path, "status") == {"asked": "status"}
    thread.join()


def test_clients_are_served_one_after_the_other(server: ControlServer, path: Path) -> None:
    clients = [connect(path) for _ in range(5)]
    for number, client in enumerate(clients):
        client.sendall(f"{number}\n".encode())
    for number, client in enumerate(clients):
        server.serve(answer)
        assert json.loads(client.recv(1000)) == {"asked": str(number)}
        client.close()


def test_nobody_there_is_no_error(server: ControlServer) -> None:
    server.serve(answer)


def test_client_that_leaves_at_once_is_no_error(server: ControlServer, path: Path) -> None:
    connect(path).close()
    server.serve(lambda _: {"long": "x" * 1_000_000})


def test_strange_and_long_requests_are_cut_and_answered(server: ControlServer, path: Path) -> None:
    with connect(path) as client:
        client.sendall(b"\xff\x00" * MAX_REQUEST)
        server.serve(answer)
        asked = json.loads(client.recv(10_000))["asked"]
        assert len(asked) <= MAX_REQUEST


@pytest.mark.parametrize("says", [b"", b"status\n"])
def test_client_that_stalls_is_dropped(
    server: ControlServer, path: Path, says: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that never asks, and one that never reads its answer: both cost a bounded time."""
    monkeypatch.setattr(control, "PATIENCE", 0.05)
    with connect(path) as stalling, connect(path) as patient:
        if says:
            stalling.sendall(says)
        patient.sendall(b"status\n")
        server.serve(lambda _: {"long": "x" * 10_000_000})
        server.serve(answer)
        assert json.loads(patient.recv(1000)) == {"asked": "status"}


def test_error_in_an_answer_reaches_the_node(server: ControlServer, path: Path) -> None:
    """Only the client's own troubles are kept quiet."""

    def fail(_: str) -> dict[str, object]:
        raise RuntimeError("the worker is gone")

    with connect(path) as client:
        client.sendall(b"status\n")
        with pytest.raises(RuntimeError):
            server.serve(fail)


# --- the place --------------------------------------------------------------------------------------------------


def test_socket_is_for_its_owner_alone(server: ControlServer, path: Path) -> None:
    assert permissions(path) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file to any group")
def test_socket_is_for_a_group_when_configured(path: Path) -> None:
    server = ControlServer(path, "daemon")
    assert permissions(path) == 0o660
    assert path.stat().st_gid == grp.getgrnam("daemon").gr_gid
    server.close()


def test_unknown_group_is_refused_in_one_line(path: Path) -> None:
    with pytest.raises(ControlError, match=r"^control_group = nobody-has-this: there is no such group on this host$"):
        ControlServer(path, "nobody-has-this")


def test_close_removes_the_file_and_may_be_called_twice(server: ControlServer, path: Path) -> None:
    server.close()
    assert not path.exists()
    server.close()


def test_socket_of_a_killed_node_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(path))
        killed.listen()
    server = ControlServer(path, "")
    with connect(path) as client:
        client.sendall(b"status\n")
        server.serve(answer)
        assert client.recv(1000)
    server.close()


def test_second_node_is_refused_and_the_first_stays(server: ControlServer, path: Path) -> None:
    with pytest.raises(ControlError, match="another node listens here"):
        ControlServer(path, "")
    server.serve(answer)  # the second one's question whether somebody is there
    with connect(path) as client:
        client.sendall(b"status\n")
        server.serve(answer)
        assert client.recv(1000)


def test_other_file_in_its_place_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(ControlError, match="exists and is not a socket"):
        ControlServer(path, "")
    assert path.read_text() == "precious"


def test_impossible_place_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ControlError, match=rf"^{tmp_path}/file: [^\n]+: File exists$"):
        ControlServer(tmp_path / "file" / "node.sock", "")


def test_path_too_long_for_a_socket_is_refused_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"^[^\n]+: AF_UNIX path too long$"):
        ControlServer(tmp_path / ("long" * 40), "")
