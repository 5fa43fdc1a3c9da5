"""Who may come in: tokens, sessions and their end, and one line for each file that cannot be used."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from alagg.config import ConfigError
from alagg.keys import files, identity
from alagg.web.access import MAX_TOKEN, SESSION, Access, place, read_token, tls_context
from alagg.webconfig import WebConfig

TOKEN = "0123456789abcdef0123456789abcdef"
FILE = Path("/etc/alagg/alagg.cfg")


def test_only_the_token_is_the_token() -> None:
    access = Access(TOKEN)
    assert access.is_token(TOKEN)
    assert not any(access.is_token(text) for text in ("", TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "ä\udcff"))


def test_without_a_token_nobody_has_it() -> None:
    access = Access("")
    assert not access.is_token("")
    assert not access.is_session(access.session())


def test_session_ends_by_itself() -> None:
    now = [1000.0]
    access = Access(TOKEN, lambda: now[0])
    session = access.session()
    now[0] += SESSION - 1
    assert access.is_session(session)
    now[0] += 2
    assert not access.is_session(session)


def test_session_ends_with_the_token_and_cannot_be_made_longer() -> None:
    session = Access(TOKEN).session()
    ends, _, signature = session.partition(".")
    assert not Access(TOKEN[::-1]).is_session(session)
    wrong = (f"{int(ends) + 1}.{signature}", ends, f"{ends}.", "", ".", "x.y", f"{ends}.ä")
    assert not any(Access(TOKEN).is_session(text) for text in wrong)


def test_token_is_read_without_the_end_of_its_line(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    assert read_token(WebConfig(token_file=str(file)), FILE) == TOKEN
    assert not read_token(WebConfig(token_file=""), FILE)


def test_credential_is_found_where_systemd_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert place("credential:web.token", "") == tmp_path / "web.token"
    monkeypatch.delenv("CREDENTIALS_DIRECTORY")
    with pytest.raises(ConfigError, match=r"^here: there are no credentials; allowed: "):
        place("credential:web.token", "here")


@pytest.mark.parametrize("content", [b"", b"\n", b"two words\n", b"\xff\xfe", b"two\nlines", b"x" * (MAX_TOKEN + 1)])
def test_what_is_no_token(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"^{FILE}: \[web\] token_file = {file}: holds no token; allowed: "):
        read_token(WebConfig(token_file=str(file)), FILE)


def test_token_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: No such file or directory; allowed: "):
        read_token(WebConfig(token_file=f"{tmp_path}/token"), FILE)


def test_token_that_is_no_secret_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "token"
    file.write_text("secret")
    file.chmod(0o644)
    assert read_token(WebConfig(token_file=str(file)), FILE) == "secret"
    assert f"chmod 600 {file}" in caplog.text
    assert "the token is short: 6 characters" in caplog.text


@pytest.fixture
def web(tmp_path: Path) -> WebConfig:
    """Give a `[web]` whose files are there."""
    key = identity.new_key()
    files.write_key(tmp_path / "web.key", key)
    files.write_certificate(tmp_path / "web.crt", identity.host("web", key, None, identity.now(), 1))
    crt = f"{tmp_path}/web.crt"
    return WebConfig(certificate=crt, key=f"{tmp_path}/web.key", client_authority=crt)


def test_https(web: WebConfig) -> None:
    context = tls_context(web, FILE)
    assert context is not None
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_OPTIONAL
    assert tls_context(WebConfig(), FILE) is None


@pytest.mark.parametrize("option", ["certificate", "key", "client_authority"])
@pytest.mark.parametrize("content", [None, "not PEM"])
def test_files_that_cannot_be_used(web: WebConfig, option: str, content: str | None) -> None:
    path = Path(getattr(web, option))
    wrong = path.with_name(f"wrong-{path.name}")
    if content is not None:
        wrong.write_text(content)
    with pytest.raises(ConfigError, match=rf"^{FILE}: \[web\] .*{wrong}[:,] .*; allowed: [^\n]*$"):
        tls_context(WebConfig(**{**vars(web), option: str(wrong)}), FILE)
