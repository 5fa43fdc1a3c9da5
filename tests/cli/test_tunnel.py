"""`alagg tunnel`: both sides as processes, and one line for what is wrong."""

from __future__ import annotations

import logging
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from alagg import cli

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def loggers() -> Iterator[None]:
    """Give the logger back as it was: the command says for its whole process what is logged."""
    logger = logging.getLogger("asyncio")
    level = logger.level
    yield
    logger.setLevel(level)


def start(*words: str) -> tuple[subprocess.Popen[str], str]:
    """Start `alagg tunnel`; give it and its first line."""
    process = subprocess.Popen([sys.executable, "-m", "alagg", "tunnel", *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, process.stdout.readline()


def echo_once(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        connection.sendall(connection.recv(100))


def test_a_port_appears_here() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        echoing = threading.Thread(target=echo_once, args=(server,))
        echoing.start()
        far, there = start("serve", "--listen", "127.0.0.1:0", "--to", f"127.0.0.1:{server.getsockname()[1]}")
        near, here = start("--listen", "127.0.0.1:0", "--via", there.split()[-1])
        with far, near:
            with socket.create_connection(
                ("127.0.0.1", int(here.split(",")[0].rpartition(":")[2])), 10
            ) as connection:
                connection.sendall(b"hello")
                assert connection.recv(100) == b"hello"
            echoing.join(10)
            for process in (near, far):
                process.send_signal(signal.SIGTERM)
                assert process.wait(10) == 0


@pytest.mark.parametrize(
    ("words", "named"),
    [
        ("serve --listen 127.0.0.1:0", "--to"),
        ("serve --listen 127.0.0.1:0 --to 127.0.0.1:1 --via 127.0.0.1:2", "--via"),
        ("serve --listen tls://127.0.0.1:0 --to 127.0.0.1:1", "--certificate"),
        ("--listen 127.0.0.1:0", "--via"),
        ("--listen 127.0.0.1:0 --via nonsense", "nonsense"),
        ("--listen 127.0.0.1:0 127.0.0.2:0 --via 127.0.0.1:1", "--listen"),
        ("--listen 127.0.0.1:0 --via 127.0.0.1:1 --to 127.0.0.1:2", "--to"),
    ],
)
def test_a_wrong_line_is_named(words: str, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tunnel", *words.split()]) == 2
    said = capsys.readouterr().err
    assert named in said
    assert said.count("\n") == 1


def test_what_fails_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["tunnel", "serve", "--listen", "unix:/nowhere/at/all", "--to", "127.0.0.1:1"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("alagg: tunnel: ")
    assert said.count("\n") == 1
