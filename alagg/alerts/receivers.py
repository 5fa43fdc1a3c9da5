"""Receivers: bring messages to the log, a program, a web hook, or by e-mail; a slow or failing one delays nobody."""

from __future__ import annotations

import itertools
import json
import logging
import os
import queue
import smtplib
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import TYPE_CHECKING, Final, Protocol

from alagg.alerts.conditions import CRITICAL, WARNING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.alerts.grouping import Message
    from alagg.alertsconfig import AlertsConfig

TIMEOUT: Final = 20.0
"""Seconds that a receiver may take."""
PAUSES: Final = (5.0, 60.0, 300.0)
"""Seconds until a message that could not be delivered is tried again, each time; the last one again and again."""
PATIENCE: Final = 86_400.0
"""Seconds after which a message is given up. The link that it tells of may be the way to who is to be told."""
WAITING: Final = 20
"""Messages that wait for one receiver; the oldest make room."""
SMTPS: Final = 465
"""The port on which TLS begins at once (RFC 8314)."""
LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")
"""Servers to which mail may go without TLS, since it does not leave the host."""

log = logging.getLogger(__name__)


class DeliveryError(Exception):
    """Why a message was not delivered, in one line."""


class Receiver(Protocol):
    """Somebody who is told."""

    name: str

    def deliver(self, message: Message) -> None:
        """Tell it.

        Raises:
            DeliveryError: it could not be told.
        """


class Log:
    """The log of the node."""

    name = "log"

    def deliver(self, message: Message) -> None:
        """See `Receiver`."""
        level = {CRITICAL: logging.ERROR, WARNING: logging.WARNING}.get(message.severity, logging.INFO)
        for line in message.text.splitlines():
            log.log(level, "alert: %s", line)


class Command:
    """A program, which reads the message as JSON."""

    name = "command"

    def __init__(self, words: Sequence[str], timeout: float = TIMEOUT) -> None:
        """Run this program with these arguments."""
        self._words, self._timeout = list(words), timeout

    def deliver(self, message: Message) -> None:
        """See `Receiver`."""
        environment = {**os.environ, "ALAGG_SUBJECT": message.subject, "ALAGG_TEXT": message.text}
        try:
            done = subprocess.run(  # noqa: S603 - what the configuration names
                self._words, input=json.dumps(message.as_json()).encode(), env=environment, timeout=self._timeout,
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise DeliveryError(f"{self._words[0]} took longer than {self._timeout:g} s, and was ended") from None
        except OSError as error:
            raise DeliveryError(f"{self._words[0]}: {error.strerror}") from None
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            why = f": {said[-1][:200]}" if said else ""
            raise DeliveryError(f"{self._words[0]} ended with {done.returncode}{why}")


class Webhook:
    """A web server to which the message is posted as JSON."""

    name = "webhook"

    def __init__(self, url: str, timeout: float = TIMEOUT) -> None:
        """Post there."""
        self._url, self._timeout = url, timeout

    def deliver(self, message: Message) -> None:
        """See `Receiver`."""
        data = json.dumps(message.as_json()).encode()
        post = urllib.request.Request(  # noqa: S310 - the configuration takes http and https alone
            self._url, data, {"Content-Type": "application/json", "User-Agent": "alagg"}, method="POST"
        )
        try:
            with urllib.request.build_opener(_Stay).open(post, timeout=self._timeout):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            raise DeliveryError(f"{self._url} answers {error.code} {error.reason}") from None
        except (OSError, ValueError) as error:
            raise DeliveryError(f"{self._url}: {getattr(error, 'reason', None) or error}") from None


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirection: what was posted would only be asked for there."""

    def redirect_request(self, *_: object) -> None:
        """Give no other request; the answer is an error then."""


class Mail:
    """E-mail, by a server that offers TLS."""

    name = "email"

    def __init__(self, config: AlertsConfig, timeout: float = TIMEOUT) -> None:
        """Send it as the configuration says."""
        self._config, self._timeout = config, timeout

    def deliver(self, message: Message) -> None:
        """See `Receiver`."""
        config = self._config
        assert config.smtp is not None
        host, port = config.smtp
        mail = EmailMessage()
        mail["Subject"] = " ".join(message.subject.split())
        mail["From"] = config.sender or f"alagg@{socket.getfqdn()}"
        mail["To"] = ", ".join(config.email)
        mail["Date"] = formatdate(message.time, localtime=True)
        mail["Message-ID"] = make_msgid()
        mail.set_content(message.text)
        try:
            with self._connected(host, port) as server:
                if config.smtp_user and config.smtp_password_file is not None:
                    server.login(config.smtp_user, config.smtp_password_file.read_text(encoding="utf-8").strip())
                refused = server.send_message(mail)
        except (OSError, smtplib.SMTPException) as error:
            raise DeliveryError(f"{host}:{port}: {' '.join(str(error).split()) or type(error).__name__}") from None

        for address, (code, text) in refused.items():
            log.warning("alerts: email: %s refuses %s: %s %s", host, address, code, text.decode(errors="replace"))

    def _connected(self, host: str, port: int) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if port == SMTPS:
            return smtplib.SMTP_SSL(host, port, timeout=self._timeout, context=context)
        server = smtplib.SMTP(host, port, timeout=self._timeout)
        try:
            server.ehlo()
            if host not in LOOPBACK or server.has_extn("starttls"):
                server.starttls(context=context)
        except BaseException:
            server.close()
            raise
        return server


def named(config: AlertsConfig) -> list[Receiver]:
    """Give all that the configuration names."""
    found: list[Receiver] = [Log()] if config.log else []
    if config.command:
        found.append(Command(config.command))
    if config.webhook:
        found.append(Webhook(config.webhook))
    if config.email:
        found.append(Mail(config))
    return found


class Postman:
    """Brings messages to one receiver, in a thread of its own, and again where it failed."""

    def __init__(self, receiver: Receiver, pauses: Sequence[float] = PAUSES, patience: float = PATIENCE) -> None:
        """Bring them to `receiver`."""
        self._receiver, self._pauses, self._patience = receiver, pauses, patience
        self._waiting: queue.Queue[Message | None] = queue.Queue(WAITING)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name=f"alagg-alert-{receiver.name}", daemon=True)
        self._thread.start()

    def send(self, message: Message) -> None:
        """Have a message brought; this never waits."""
        self._put(message)

    def close(self) -> None:
        """Bring no more; what is on its way is not waited for."""
        self._ended.set()
        self._put(None)

    def _put(self, message: Message | None) -> None:
        while True:
            try:
                self._waiting.put_nowait(message)
            except queue.Full:
                self._drop_oldest()
            else:
                return

    def _drop_oldest(self) -> None:
        try:
            self._waiting.get_nowait()
        except queue.Empty:
            return
        if not self._ended.is_set():
            log.warning("alerts: %s: a message is dropped, as newer ones wait", self._receiver.name)

    def _work(self) -> None:
        while (message := self._waiting.get()) is not None and not self._ended.is_set():
            self._bring(message)

    def _bring(self, message: Message) -> None:
        began, told = time.monotonic(), ""
        for pause in itertools.chain(self._pauses, itertools.repeat(self._pauses[-1])):
            error = self._attempt(message)
            given_up = bool(error) and time.monotonic() - began >= self._patience
            if error and (given_up or error != told):
                then = "given up" if given_up else "tried again"
                log.warning("alerts: %s: not told: %s; %s", self._receiver.name, error, then)
            if told and not error:
                log.info("alerts: %s: told at last", self._receiver.name)
            if not error or given_up or self._ended.wait(pause):
                return
            told = error

    def _attempt(self, message: Message) -> str:
        """Deliver a message, or say in one line why that failed."""
        try:
            self._receiver.deliver(message)
        except DeliveryError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - the thread outlives what nobody thought of
            return f"unexpected {type(error).__name__}: {error}"
        return ""
