"""The process: it gives up all rights, serves what the node says as it happens, and ends in an orderly way."""

from __future__ import annotations

import contextlib
import errno
import http.client
import json
import os
import pwd
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alagg.cli.errors import CommandError
from alagg.config import ConfigError
from alagg.control.client import request
from alagg.history import opening
from alagg.web import server
from alagg.webconfig import WebConfig
from tests.web.clients import BEARER, TOKEN
from tests.web.fake_node import FakeNode, link, status

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = os.geteuid() == 0
FILE = Path("/etc/alagg/alagg.cfg")


class Web:
    """A running `alagg web`, with the node that it is for."""

    def __init__(self, folder: Path) -> None:
        self.node = FakeNode(folder / "alagg.sock")
        token = folder / "web.token"
        token.write_text(TOKEN)
        token.chmod(0o600)
        self.config = folder / "alagg.cfg"
        self.config.write_text(
            "[peer office]\ndestinations = 10.99.0.2\n[link fibre]\ninterface = eth0\nmac = 52:54:00:12:34:56\n"
            f"[alagg]\ncontrol_socket = {self.node.path}\n[web]\nlisten = 127.0.0.1:0\ntoken_file = {token}\n"
            f"[history]\nfile = {folder}/history.db\n"
        )
        command = [sys.executable, "-m", "alagg", "web", "--config", str(self.config)]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr
        found = re.search(r"dashboard and API at http://127\.0\.0\.1:(\d+)/", self.process.stderr.readline())
        assert found
        self.port = int(found[1])

    @contextlib.contextmanager
    def asking(self, method: str, path: str, body: str | None = None) -> Iterator[http.client.HTTPResponse]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = BEARER | ({"content-type": "application/json"} if body else {})
        connection.request(method, path, body, headers)
        with contextlib.closing(connection), connection.getresponse() as answer:
            yield answer

    @property
    def served_by(self) -> int:
        """The process that browsers talk to: with root's rights there is a broker around it."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else pid

    def close(self) -> tuple[int, str]:
        self.process.terminate()
        assert self.process.stderr
        with self.process.stderr:
            text = self.process.stderr.read()
        self.node.close()
        return self.process.wait(20), text


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    running = Web(tmp_path_factory.mktemp("web"))
    yield running
    code, text = running.close()
    assert code == 0
    assert "Traceback" not in text


def message(answer: http.client.HTTPResponse, kind: str) -> Any:
    """Give the next message of a kind."""
    for line in answer:
        if line == f"event: {kind}\n".encode():
            return json.loads(answer.readline().removeprefix(b"data: "))
    raise AssertionError(kind)


def test_what_happens_is_pushed(web: Web) -> None:
    with web.asking("GET", "/api/v1/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert message(answer, "status")["verdict"]["level"] == "ok"
        web.node.says = status(link("fibre", state="down", reason="no carrier"), link("copper"))
        web.node.happen(kind="link_state", link="fibre", state="down", text="link fibre is down: no carrier")
        assert message(answer, "event")["text"] == "link fibre is down: no carrier"
        while (told := message(answer, "status"))["links"][0]["state"] != "down":
            pass
        assert told["verdict"]["lines"] == [{"level": "bad", "text": "fibre: no carrier"}]


def test_status_page_and_metrics(web: Web) -> None:
    for path, word in (("/api/v1/status", b'"verdict"'), ("/metrics", b"alagg_link_"), ("/", b"<title>alagg")):
        with web.asking("GET", path) as answer:
            assert answer.status == 200
            assert word in answer.read()


def test_history_is_read_by_who_may(web: Web) -> None:
    path = web.config.with_name("history.db")
    with web.asking("GET", "/api/v1/history") as answer:
        assert (answer.status, b"there is no history" in answer.read()) == (503, True)
    opening.for_writing(path, 10**6).close()
    with web.asking("GET", "/api/v1/history?since=1h") as answer:
        assert json.loads(answer.read())["events"] == []


def test_change_goes_through(web: Web) -> None:
    with web.asking("PATCH", "/api/v1/links/office/fibre", '{"blocked": true}') as answer:
        assert answer.status == 204
    assert web.node.changes == [{"do": "block", "link": "fibre", "peer": "office"}]


@pytest.mark.skipif(not ROOT, reason="only root has rights to give up")
def test_process_that_browsers_talk_to_has_no_rights(web: Web) -> None:
    told = dict(line.split(":\t", 1) for line in Path(f"/proc/{web.served_by}/status").read_text().splitlines())
    nobody = pwd.getpwnam("nobody")
    assert web.served_by != web.process.pid
    assert told["Uid"].split() == [str(nobody.pw_uid)] * 4
    assert told["Gid"].split() == [str(nobody.pw_gid)] * 4
    assert told["Groups"].split() == []
    assert [int(told[name], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [0] * 4
    assert told["NoNewPrivs"] == "1"
    opened = [str(place.readlink()) for place in Path(f"/proc/{web.served_by}/fd").iterdir()]
    assert not [name for name in opened if name.endswith((".token", ".key", ".cfg"))]


@pytest.mark.skipif(not ROOT, reason="without root there is no broker")
def test_it_ends_with_its_broker(tmp_path: Path) -> None:
    web = Web(tmp_path)
    with web.asking("GET", "/healthz") as answer:
        assert answer.status == 200
    web.process.kill()
    while _listens(web.port):
        time.sleep(0.02)
    assert web.close()[0] == -signal.SIGKILL


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_address_that_is_taken() -> None:
    with server.listen(WebConfig(listen=("127.0.0.1", 0)), FILE) as first:
        port = first.getsockname()[1]
        with pytest.raises(CommandError) as caught:
            server.listen(WebConfig(listen=("127.0.0.1", port)), FILE)
    where = f"{FILE}: [web] listen = 127.0.0.1:{port}"
    assert str(caught.value) == f"{where}: Address already in use; allowed: a free one"


def test_users_that_cannot_be_it() -> None:
    with pytest.raises(ConfigError, match=rf"^{FILE}: \[web\] user = nosuch: there is no such user; allowed: "):
        server._account("nosuch", FILE)
    with pytest.raises(ConfigError, match=r"user = root: has all rights; allowed: "):
        server._account("root", FILE)


def test_rights_that_cannot_be_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: list[int]) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "setgroups", refuse)
    with pytest.raises(CommandError, match="cannot become root: Operation not permitted; run it as that user"):
        server.give_up_rights(pwd.getpwnam("root"))


def test_what_a_fake_node_says_is_what_a_node_says(web: Web) -> None:
    assert request(web.node.path, "status") == web.node.says
