"""The section `[alerts]`: who is told when something is wrong, and how often at most."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from alagg import values
from alagg.option import Option
from alagg.values import RefusedError

if TYPE_CHECKING:
    from typing import TypeAlias

    Address: TypeAlias = tuple[str, int]

_TIME: Final = re.compile(r"(\d{1,5})\s*(s|min|h)", re.ASCII)
_SECONDS: Final = {"s": 1, "min": 60, "h": 3600}
_MAILBOX: Final = re.compile(r"[^\s@,<>\"]+@[^\s@,<>\"]+")
_HOST: Final = re.compile(r"\[[0-9A-Fa-f:.]+\]|[\w.-]+", re.ASCII)
_SERVER: Final = "mail.example.org:587"
_SMTP: Final = f"a server and its port, such as {_SERVER}"


@dataclass(frozen=True)
class AlertsConfig:
    """What `[alerts]` says."""

    log: bool
    command: tuple[str, ...]
    """A program with its arguments; empty for none."""
    webhook: str
    """Where a message is posted; empty for nowhere."""
    email: tuple[str, ...]
    sender: str
    """Whom e-mail comes from; empty for alagg at this host."""
    smtp: Address | None
    """Who takes the e-mail: name and port; with port 465 TLS from the beginning, else by STARTTLS."""
    smtp_user: str
    smtp_password_file: Path | None
    hold_down: float
    """Seconds between two messages at least."""

    @property
    def wanted(self) -> bool:
        """Whether anybody is to be told."""
        return bool(self.log or self.command or self.webhook or self.email)


def command(text: str) -> tuple[str, ...]:
    """Read a command line; no shell reads it, so quotes group words, and nothing else is special."""
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        words = ("?",)
    if words and not words[0].startswith("/"):
        raise RefusedError("an absolute path of a program, and its arguments (no shell reads them)")
    return words


def webhook(text: str) -> str:
    """Read a URL, or nothing."""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if text and (not good or not text.isascii() or " " in text):
        raise RefusedError("a URL such as https://example.org/hook")
    return text


def mailboxes(text: str) -> tuple[str, ...]:
    """Read e-mail addresses."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(_MAILBOX.fullmatch(one) and one.isprintable() for one in found):
        raise RefusedError("e-mail addresses, separated by commas, such as admin@example.org")
    return found


def mailbox(text: str) -> str:
    """Read one e-mail address, or nothing."""
    if len(found := mailboxes(text)) > 1:
        raise RefusedError("one e-mail address, or nothing")
    return found[0] if found else ""


def smtp(text: str) -> Address | None:
    """Read a host and a port, or nothing."""
    if not text:
        return None
    host, _, port = text.rpartition(":")
    good = _HOST.fullmatch(host) and re.fullmatch(r"\d{1,5}", port, re.ASCII)
    if not good or not 1 <= int(port) <= 65535:
        raise RefusedError(_SMTP)
    return host.strip("[]"), int(port)


def password_file(text: str) -> Path | None:
    """Read the path of a file, or nothing."""
    if not text:
        return None
    if not text.startswith("/") or text.endswith("/") or "\0" in text:
        raise RefusedError("an absolute path of a file, or nothing")
    return Path(text)


def hold_down(text: str) -> float:
    """Read a time in seconds."""
    match = _TIME.fullmatch(text)
    value = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 1 <= value <= 86400:
        raise RefusedError("a time with its unit from 1s to 24h, such as 5min")
    return float(value)


def contradiction(alerts: AlertsConfig) -> str:
    """Say which options cannot work together; nothing where all do."""
    if alerts.email and alerts.smtp is None:
        return f"email = {', '.join(alerts.email)}: nobody takes it; allowed: with smtp, such as {_SERVER}"
    if alerts.smtp_user and alerts.smtp_password_file is None:
        return f"smtp_user = {alerts.smtp_user}: has no password; allowed: with smtp_password_file"
    return ""


ALERTS: Final = (
    Option("log", "no", values.yes_no, "write alerts to the node's log: yes | no"),
    Option("command", "", command, "run this program, the alert as JSON on its standard input; empty: none"),
    Option("webhook", "", webhook, "post the alert as JSON to this URL; empty: nowhere"),
    Option("email", "", mailboxes, "send it to these addresses, separated by commas; empty: nobody"),
    Option("sender", "", mailbox, "whom the e-mail comes from; empty: alagg at this host"),
    Option("smtp", "", smtp, "who takes the e-mail, with TLS: server and port, such as mail.example.org:587"),
    Option("smtp_user", "", values.name, "who we are to that server; empty: nobody"),
    Option("smtp_password_file", "", password_file, "a file with the password"),
    Option("hold_down", "5min", hold_down,
           "the shortest time between two messages; what happens meanwhile goes together"),
)
