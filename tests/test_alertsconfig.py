"""The section [alerts]: its values, and one line for each that is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alagg import alertsconfig
from alagg.config import ConfigError, load
from alagg.values import RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

BASE = "[peer office]\ndestinations = 10.99.0.2\n[link a]\ninterface = eth0\nmac = 52:54:00:12:34:56\n"


def section(directory: Path, *lines: str) -> Path:
    path = directory / "alagg.cfg"
    path.write_text("\n".join((f"{BASE}[alerts]", *lines, "")), encoding="utf-8")
    return path


def test_nobody_is_told_by_default(tmp_path: Path) -> None:
    assert not load(section(tmp_path)).alerts.wanted


def test_all_of_it(tmp_path: Path) -> None:
    path = section(
        tmp_path, "log = yes", "command = /usr/bin/tell 'two words' --now", "webhook = https://example.org/hook?a=b",
        "email = a@example.org, b@example.org", "sender = alagg@example.org", "smtp = [2001:db8::1]:465",
        "smtp_user = alagg", "smtp_password_file = /etc/alagg/smtp", "hold_down = 1h",
    )  # fmt: skip
    assert load(path).alerts == alertsconfig.AlertsConfig(
        log=True,
        command=("/usr/bin/tell", "two words", "--now"),
        webhook="https://example.org/hook?a=b",
        email=("a@example.org", "b@example.org"),
        sender="alagg@example.org",
        smtp=("2001:db8::1", 465),
        smtp_user="alagg",
        smtp_password_file=Path("/etc/alagg/smtp"),
        hold_down=3600.0,
    )


@pytest.mark.parametrize(
    ("read", "text", "allowed"),
    [
        (alertsconfig.command, "tell me", "an absolute path of a program"),
        (alertsconfig.command, "/usr/bin/tell 'me", "an absolute path of a program"),
        (alertsconfig.webhook, "example.org/hook", "a URL such as"),
        (alertsconfig.webhook, "ftp://example.org", "a URL such as"),
        (alertsconfig.webhook, "https:///hook", "a URL such as"),
        (alertsconfig.webhook, "https://example.org:99999/", "a URL such as"),
        (alertsconfig.webhook, "https://example.org/a b", "a URL such as"),
        (alertsconfig.webhook, "https://[::1", "a URL such as"),
        (alertsconfig.mailboxes, "nobody", "e-mail addresses, separated by commas"),
        (alertsconfig.mailboxes, "a@b c@d", "e-mail addresses, separated by commas"),
        (alertsconfig.mailbox, "a@b, c@d", "one e-mail address"),
        (alertsconfig.smtp, "mail.example.org", "a server and its port"),
        (alertsconfig.smtp, "mail.example.org:0", "a server and its port"),
        (alertsconfig.smtp, "mail.example.org:65536", "a server and its port"),
        (alertsconfig.smtp, "a b:25", "a server and its port"),
        (alertsconfig.smtp, "2001:db8::1:25", "a server and its port"),
        (alertsconfig.password_file, "secret", "an absolute path of a file"),
        (alertsconfig.hold_down, "5", "a time with its unit from 1s to 24h"),
        (alertsconfig.hold_down, "0s", "a time with its unit from 1s to 24h"),
        (alertsconfig.hold_down, "25h", "a time with its unit from 1s to 24h"),
    ],
)
def test_value_that_is_wrong(read: Callable[[str], Any], text: str, allowed: str) -> None:
    with pytest.raises(RefusedError, match=allowed):
        read(text)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["email = a@example.org"], "email = a@example.org: nobody takes it; allowed: with smtp"),
        (["smtp_user = alagg"], "smtp_user = alagg: has no password; allowed: with smtp_password_file"),
        (
            ["email = a@example.org", "smtp = mail.example.org:25", "smtp_user = me"],
            "smtp_user = me: has no password; allowed: with smtp_password_file",
        ),
        (["hold_down = soon"], "hold_down = soon: allowed: a time"),
        (["webhok = https://example.org"], "webhok = https://example.org: unknown key"),
    ],
)
def test_section_that_is_wrong_is_one_line(lines: list[str], said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(section(tmp_path, *lines))
    assert f"[alerts] {said}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_smtp_forms() -> None:
    assert alertsconfig.smtp("mail.example.org:587") == ("mail.example.org", 587)
    assert alertsconfig.smtp("[::1]:25") == ("::1", 25)
    assert alertsconfig.smtp("") is None
