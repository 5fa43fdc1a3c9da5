"""Receivers: each brings a message or says in one line why not; one that fails or hangs delays nobody."""

from __future__ import annotations

import json
import logging
import socket
import stat
import threading
from contextlib import closing, contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.alerts import receivers as module
from alagg.alerts.conditions import CRITICAL
from alagg.alerts.receivers import Command, DeliveryError, Log, Mail, Postman, Webhook, named
from alagg.alertsconfig import AlertsConfig
from tests.alerts.helpers import alert, message
from tests.stream.faces import certificate

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from alagg.alerts.grouping import Message

WAIT: Final = 20
NOBODY: Final = AlertsConfig(
    log=False, command=(), webhook="", email=(), sender="", smtp=None, smtp_user="", smtp_password_file=None,
    hold_down=300.0,
)  # fmt: skip


def settings(**options: Any) -> AlertsConfig:
    return AlertsConfig(**{**vars(NOBODY), **options})


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_all_that_are_named_are_told() -> None:
    config = settings(log=True, command=("/x",), webhook="http://x", email=("a@b",), smtp=("mail", 25))
    assert [receiver.name for receiver in named(config)] == ["log", "command", "webhook", "email"]
    assert named(NOBODY) == []


def test_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    Log().deliver(message(alert("peer_gone", "office", CRITICAL), alert()))
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.ERROR, "alert: wrong: peer_gone of office"),
        (logging.ERROR, "alert: wrong: link_down of office/wan"),
    ]


# --- a program --------------------------------------------------------------------------------------------------


def test_command_reads_the_message_and_has_its_words(tmp_path: Path) -> None:
    program = script(tmp_path / "tell", f'cat >{tmp_path}/said; echo "$1 $ALAGG_SUBJECT" >{tmp_path}/words')
    Command([program, "two words"]).deliver(message())
    assert json.loads((tmp_path / "said").read_text())["begun"][0]["kind"] == "link_down"
    assert (tmp_path / "words").read_text() == "two words alagg on host1: link_down of office/wan\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exit 3", "tell ended with 3"),
        ("echo no such number >&2; exit 1", "tell ended with 1: no such number"),
        ("sleep 60", "tell took longer than 0.2 s, and was ended"),
        ("exec 0<&-; exit 4", "tell ended with 4"),
    ],
)
def test_command_that_fails(text: str, said: str, tmp_path: Path) -> None:
    program = script(tmp_path / "tell", text.replace("sleep", "exec sleep"))
    with pytest.raises(DeliveryError, match=said):
        Command([program], timeout=0.2 if "sleep" in text else WAIT).deliver(message())


def test_command_that_is_not_there() -> None:
    with pytest.raises(DeliveryError, match=r"^/no/such/program: No such file or directory$"):
        Command(["/no/such/program"]).deliver(message())


# --- a web server -----------------------------------------------------------------------------------------------


@contextmanager
def web(status: int) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Answer one request with a status; give the URL, and what was posted with its type."""
    posted: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((self.headers["Content-Type"], body))
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", posted
        thread.join(WAIT)


def test_webhook_is_posted_to() -> None:
    with web(204) as (url, posted):
        Webhook(url).deliver(message())
    ((kind, body),) = posted
    assert kind == "application/json"
    assert json.loads(body)["host"] == "host1"


@pytest.mark.parametrize(("status", "said"), [(500, "answers 500 Internal Server Error"), (302, "answers 302 Found")])
def test_webhook_that_refuses(status: int, said: str) -> None:
    with web(status) as (url, _), pytest.raises(DeliveryError, match=said):
        Webhook(url).deliver(message())


def test_webhook_that_does_not_answer() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(DeliveryError, match="timed out"):
            Webhook(url, timeout=0.1).deliver(message())
    with pytest.raises(DeliveryError, match="Connection refused"):
        Webhook(url).deliver(message())


# --- e-mail -----------------------------------------------------------------------------------------------------


class MailServer:
    """Takes one mail, as far as it is told to; `said` is what the client said."""

    def __init__(self, extensions: str = "", refuse: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.said: list[str] = []
        self._extensions, self._refuse, self._tls = extensions, refuse, tls
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):  # the client may go
            connection, _ = self._server.accept()
            with connection:
                self._talk(connection)

    def _talk(self, connection: socket.socket) -> None:
        if self._tls is not None:
            connection = self._tls.wrap_socket(connection, server_side=True)
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 here\r\n")
            inside = False
            for line in lines:
                text = line.decode().rstrip("\r\n")
                self.said.append(text)
                if inside:
                    inside = text != "."
                    if inside:
                        continue
                connection.sendall(self._answer(text).encode())
                inside = text.upper() == "DATA"

    def _answer(self, text: str) -> str:
        verb = text.split(" ", maxsplit=1)[0].upper()
        if self._refuse and self._refuse in text.upper():
            return "550 not here\r\n"
        if verb == "EHLO":
            return f"250-here\r\n{self._extensions}250 8BITMIME\r\n"
        return {"DATA": "354 go on\r\n", "QUIT": "221 bye\r\n", "AUTH": "235 you are\r\n"}.get(verb, "250 well\r\n")

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self._thread.join(WAIT)
        assert not self._thread.is_alive()


@pytest.fixture
def serve() -> Iterator[Callable[..., MailServer]]:
    servers: list[MailServer] = []

    def start(**options: Any) -> MailServer:
        servers.append(MailServer(**options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def mail(server: MailServer, host: str = "127.0.0.1", **options: Any) -> Mail:
    config = settings(email=("a@example.org", "b@example.org"), smtp=(host, server.port), **options)
    return Mail(config, timeout=WAIT)


def test_mail(serve: Callable[..., MailServer]) -> None:
    server = serve()
    mail(server, sender="alagg@example.org").deliver(message())
    assert {"Subject: alagg on host1: link_down of office/wan", "From: alagg@example.org"} <= set(server.said)
    assert {"To: a@example.org, b@example.org", "wrong: link_down of office/wan"} <= set(server.said)
    dated = formatdate(message().time, localtime=True)
    assert f"Date: {dated}" in server.said
    assert any(line.startswith("Message-ID: <") for line in server.said)


def test_mail_says_who_it_is(serve: Callable[..., MailServer], tmp_path: Path) -> None:
    server, secret = serve(extensions="250-AUTH PLAIN\r\n"), tmp_path / "secret"
    secret.write_text("open sesame\n")
    mail(server, smtp_user="me", smtp_password_file=secret).deliver(message())
    assert any(line.startswith("AUTH PLAIN ") for line in server.said)
    secret.unlink()
    with pytest.raises(DeliveryError, match="No such file or directory"):
        mail(serve(), smtp_user="me", smtp_password_file=secret).deliver(message())


def test_mail_to_another_host_goes_by_tls_or_not_at_all(
    serve: Callable[..., MailServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOOPBACK", ())
    server = serve()
    with pytest.raises(DeliveryError, match="STARTTLS"):
        mail(server).deliver(message())
    assert not any("MAIL" in line.upper() for line in server.said)


def test_mail_by_tls_from_the_beginning(
    serve: Callable[..., MailServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = certificate(tmp_path)
    server = serve(tls=ours)
    monkeypatch.setattr(module, "SMTPS", server.port)
    with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
        mail(server).deliver(message())
    server = serve(tls=ours)
    monkeypatch.setattr(module, "SMTPS", server.port)
    monkeypatch.setattr("ssl.create_default_context", lambda: theirs)
    mail(server).deliver(message())
    assert "To: a@example.org, b@example.org" in server.said


def test_mail_that_one_of_two_may_not_get(
    serve: Callable[..., MailServer], caplog: pytest.LogCaptureFixture
) -> None:
    mail(serve(refuse="RCPT TO:<B@")).deliver(message())
    assert "127.0.0.1 refuses b@example.org: 550 not here" in caplog.text


def test_mail_that_nobody_may_get(serve: Callable[..., MailServer]) -> None:
    with pytest.raises(DeliveryError, match="550"):
        mail(serve(refuse="RCPT")).deliver(message())


def test_mail_without_a_server() -> None:
    with pytest.raises(DeliveryError, match=r"127.0.0.1:1: .*Connection refused"):
        Mail(settings(email=("a@b",), smtp=("127.0.0.1", 1))).deliver(message())


# --- who brings them --------------------------------------------------------------------------------------------


class Fake:
    """Takes messages, fails as often as it is told to, and may hang."""

    name = "fake"

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.told: list[Message] = []
        self.tried = threading.Semaphore(0)
        self.free = threading.Event()
        self.free.set()

    def deliver(self, message: Message) -> None:
        self.tried.release()
        assert self.free.wait(WAIT)
        if self.failures:
            raise self.failures.pop(0)
        self.told.append(message)

    def await_tries(self, number: int) -> None:
        for _ in range(number):
            assert self.tried.acquire(timeout=WAIT)


@contextmanager
def postman(fake: Fake, pauses: tuple[float, ...] = (0.0,), patience: float = 1e9) -> Iterator[Postman]:
    postman = Postman(fake, pauses, patience)
    yield postman
    postman.close()
    postman._thread.join(WAIT)
    assert not postman._thread.is_alive()


def texts(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


def test_messages_are_brought_in_order() -> None:
    fake, sent = Fake(), [message(alert(subject=str(number))) for number in range(5)]
    with postman(fake) as man:
        for one in sent:
            man.send(one)
        fake.await_tries(5)
    assert fake.told == sent


def test_message_is_brought_again_until_it_arrives(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    fake = Fake(*[DeliveryError("busy")] * 3, DeliveryError("broken"))
    with postman(fake) as man:
        man.send(message())
        fake.await_tries(5)
    assert len(fake.told) == 1
    assert texts(caplog) == [
        "alerts: fake: not told: busy; tried again", "alerts: fake: not told: broken; tried again",
        "alerts: fake: told at last",
    ]  # fmt: skip


def test_message_is_given_up_at_last(caplog: pytest.LogCaptureFixture) -> None:
    fake = Fake(DeliveryError("broken"))
    with postman(fake, patience=0.0) as man:
        man.send(message())
        man.send(message(alert("peer_gone")))
        fake.await_tries(2)
    assert [one.begun[0].kind for one in fake.told] == ["peer_gone"]
    assert texts(caplog) == ["alerts: fake: not told: broken; given up"]


def test_what_nobody_thought_of_is_a_line_too(caplog: pytest.LogCaptureFixture) -> None:
    fake = Fake(ValueError("what?"))
    with postman(fake) as man:
        man.send(message())
        fake.await_tries(2)
    assert texts(caplog)[0] == "alerts: fake: not told: unexpected ValueError: what?; tried again"


def test_receiver_that_hangs_delays_nobody_and_its_oldest_messages_make_room(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fake = Fake()
    fake.free.clear()
    with postman(fake) as man:
        man.send(message())
        fake.await_tries(1)
        for number in range(module.WAITING + 5):
            man.send(message(alert(subject=str(number))))
        fake.free.set()
        fake.await_tries(module.WAITING)
    assert [one.begun[0].subject for one in fake.told[1:]] == [str(number) for number in range(5, module.WAITING + 5)]
    assert texts(caplog) == ["alerts: fake: a message is dropped, as newer ones wait"] * 5


def test_end_waits_for_no_pause() -> None:
    fake = Fake(*[DeliveryError("busy")] * 100)
    with postman(fake, pauses=(1000.0,)) as man:
        man.send(message())
        fake.await_tries(1)
    assert fake.told == []
