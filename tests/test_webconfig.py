"""`[web]`: what it takes, and one line for each mistake."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from alagg import config, webconfig
from alagg.config import ConfigError
from alagg.webconfig import WebConfig

REST = "[peer office]\ndestinations = 10.99.0.2\n[link fibre]\ninterface = eth0\nmac = 52:54:00:12:34:56\n"


def load(tmp_path: Path, *lines: str) -> WebConfig:
    file = tmp_path / "alagg.cfg"
    file.write_text(REST + "\n".join(("[web]", *lines, "")))
    return config.load(file).web


def complaint(tmp_path: Path, *lines: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, *lines)
    text = str(caught.value)
    assert text.startswith(f"{tmp_path}/alagg.cfg: [web]")
    assert "\n" not in text
    return text


def test_every_option_has_its_line_in_the_manual() -> None:
    manual = (Path(__file__).parent.parent / "docs" / "web.md").read_text(encoding="utf-8")
    table = manual.partition("### `[web]`")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \| (.+?) \|", table, flags=re.MULTILINE) == [
        (option.key, f"`{option.default}`" if option.default else "empty") for option in webconfig.WEB
    ]


def test_section_may_be_left_out(tmp_path: Path) -> None:
    file = tmp_path / "alagg.cfg"
    file.write_text(REST)
    assert config.load(file).web == WebConfig() == load(tmp_path)


def test_all_options_are_read(tmp_path: Path) -> None:
    web = load(
        tmp_path, "listen = [fd99::1]:443", "token_file = credential:web.token", "certificate = /etc/web.crt",
        "key = /etc/web.key", "client_authority = /etc/ca.crt", "user = alagg-web",
    )  # fmt: skip
    assert web == WebConfig(
        ("fd99::1", 443), "credential:web.token", "/etc/web.crt", "/etc/web.key", "/etc/ca.crt", "alagg-web"
    )
    assert web.url == "https://[fd99::1]:443/"
    assert not web.local


@pytest.mark.parametrize(
    ("text", "address"),
    [("127.0.0.1:7312", ("127.0.0.1", 7312)), ("localhost:80", ("127.0.0.1", 80)), ("[::1]:0", ("::1", 0))],
)
def test_address(text: str, address: tuple[str, int]) -> None:
    assert webconfig.listen(text) == address
    assert WebConfig(listen=address).local


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("listen = 7312", "an address and a port"),
        ("listen = 127.0.0.1", "an address and a port"),
        ("listen = 127.0.0.1:65536", "an address and a port"),
        ("listen = 127.0.0.1:-1", "an address and a port"),
        ("listen = ::1:7312", "an address and a port"),
        ("listen = [127.0.0.1]:7312", "an address and a port"),
        ("listen = web.example:7312", "an address and a port"),
        ("token_file = web.token", "an absolute path, or credential:NAME"),
        ("token_file = credential:", "an absolute path, or credential:NAME"),
        ("token_file = credential:../web.token", "an absolute path, or credential:NAME"),
        ("key = /etc/", "an absolute path, or credential:NAME"),
        ("user = root", "other than root"),
        ("user =", "other than root"),
        ("port = 80", "unknown key"),
        ("tokenfile = /a", "did you mean token_file?"),
    ],
)
def test_wrong_value(tmp_path: Path, line: str, word: str) -> None:
    text = complaint(tmp_path, line)
    assert line.strip() in text
    assert "allowed: " in text
    assert word in text


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        (("certificate = /a",), "certificate = /a: needs a key"),
        (("key = /a",), "key = /a: needs a certificate"),
        (("client_authority = /a",), "client_authority = /a: needs HTTPS"),
        (("token_file =",), "nobody could come in"),
    ],
)
def test_options_that_cannot_work_together(tmp_path: Path, lines: tuple[str, ...], word: str) -> None:
    text = complaint(tmp_path, *lines)
    assert word in text
    assert "allowed: " in text


def test_certificates_may_stand_alone(tmp_path: Path) -> None:
    assert not load(tmp_path, "token_file =", "certificate = /a", "key = /b", "client_authority = /c").token_file
