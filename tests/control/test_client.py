"""Asking a node: the answer as it came, or one line that says why there is none."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from alagg.control import client
from alagg.control.client import ControlError, lines, request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Serve = Callable[[bytes], Path]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Listen for one connection, read its line and answer; the line is checked to be `status`."""
    threads: list[threading.Thread] = []
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def answer_once(answer: bytes) -> None:
        connection, _ = listener.accept()
        with connection:
            line = connection.recv(100)
            with suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(answer if line == b"status\n" else b'{"error": "what?"}')

    def start(answer: bytes) -> Path:
        path = tmp_path / "alagg.sock"
        listener.bind(str(path))
        listener.listen()
        threads.append(threading.Thread(target=answer_once, args=(answer,)))
        threads[0].start()
        return path

    with listener:
        yield start
        for thread in threads:
            thread.join()


def test_answer(serve: Serve) -> None:
    assert request(serve(b'{"version": "1", "links": []}\n'), "status") == {"version": "1", "links": []}


def test_long_answer(serve: Serve) -> None:
    text = "x" * 1_000_000
    assert request(serve(f'{{"text": "{text}"}}'.encode()), "status") == {"text": text}


@pytest.mark.parametrize("answer", [b"", b"hello", b"[1]", b'{"cut": ', b"\xff\xfe"])
def test_answer_that_is_not_understood(serve: Serve, answer: bytes) -> None:
    with pytest.raises(ControlError, match="is not understood"):
        request(serve(answer), "status")


def test_endless_answer_is_cut(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_ANSWER", 10)
    with pytest.raises(ControlError, match="is not understood"):
        request(serve(b'{"text": "' + b"0" * 1_000_000 + b'"}'), "status")


def test_refusal(serve: Serve) -> None:
    with pytest.raises(ControlError, match="refuses: what\\?"):
        request(serve(b""), "bogus")


def test_no_socket(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"no node listens at .*/none\.sock; is it running\?"):
        request(tmp_path / "none.sock", "status")


def test_socket_of_a_dead_node(tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(path))
    with pytest.raises(ControlError, match="is it running"):
        request(path, "status")


def test_node_that_does_not_answer(tmp_path: Path) -> None:
    path = tmp_path / "mute.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
        mute.bind(str(path))
        mute.listen()
        with pytest.raises(ControlError, match=r"does not answer within 0\.05 s"):
            request(path, "status", timeout=0.05)


@pytest.mark.parametrize(
    ("error", "text"),
    [(PermissionError(13, "Permission denied"), "control_group"), (OSError(5, "Input/output error"), "Input/output")],
)
def test_socket_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: OSError, text: str
) -> None:
    def refuse(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(ControlError, match=text):
        request(tmp_path / "x.sock", "status")


def test_path_too_long_for_a_socket(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match="cannot talk to the node"):
        request(tmp_path / ("x" * 200), "status")


def test_lines_that_come_bit_by_bit(serve: Serve) -> None:
    assert list(lines(serve(b'{"round": 1}\n{"done": true}\n'), "status")) == [{"round": 1}, {"done": True}]


def test_line_that_is_a_refusal(serve: Serve) -> None:
    with pytest.raises(ControlError, match="refuses: no peer"):
        list(lines(serve(b'{"round": 1}\n{"error": "no peer"}\n'), "status"))
