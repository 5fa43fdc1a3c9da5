"""Who may come in: the token, sessions of browsers that have shown it, and certificates of the clients' authority."""

from __future__ import annotations

import hashlib
import hmac
import logging
import os
import ssl
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alagg.config import ConfigError
from alagg.webconfig import CREDENTIAL

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.webconfig import WebConfig

SESSION: Final = 12 * 3600
"""Seconds for which a browser that has shown the token need not show it again; each visit of the page begins anew."""
GOOD_TOKEN: Final = 16
"""Characters below which a token is called short."""
MAX_TOKEN: Final = 4096

log = logging.getLogger(__name__)


class Access:
    """Knows the token, and tells who is let in."""

    def __init__(self, token: str, clock: Callable[[], float] = time.time) -> None:
        """Let in who has the token; with an empty one nobody has it."""
        self._token = hashlib.sha256(token.encode()).digest() if token else b""
        self._key = hmac.digest(token.encode(), b"alagg web session", "sha256") if token else b""
        self._clock = clock

    def is_token(self, text: str) -> bool:
        """Tell whether that is the token, in a time that says nothing of how much of it is right."""
        given = hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
        return bool(self._token) and hmac.compare_digest(given, self._token)

    def session(self) -> str:
        """Give what a browser shows from now on in place of the token; it ends by itself, or with the token."""
        ends = str(int(self._clock()) + SESSION)
        return f"{ends}.{self._sign(ends)}"

    def is_session(self, text: str) -> bool:
        """Tell whether that is a session that has not ended."""
        ends, _, signature = text.partition(".")
        genuine = bool(self._key) and hmac.compare_digest(signature.encode(), self._sign(ends).encode())
        return genuine and self._clock() < int(ends)

    def _sign(self, ends: str) -> str:
        return hmac.new(self._key, ends.encode(), "sha256").hexdigest()


def read_token(web: WebConfig, path: Path) -> str:
    """Read the token that `token_file` names; empty where certificates alone let in.

    Raises:
        ConfigError: it cannot be read, or is none.
    """
    if not web.token_file:
        return ""
    where = f"{path}: [web] token_file = {web.token_file}"
    file = place(web.token_file, where)
    try:
        mode = file.stat().st_mode
        with file.open("rb") as opened:
            token = opened.read(MAX_TOKEN + 1).decode().strip()
    except OSError as error:
        raise ConfigError(f"{where}: cannot be read: {error.strerror}; allowed: a file with the token") from None
    except UnicodeDecodeError:
        token = ""
    if not token or not token.isprintable() or " " in token or len(token) > MAX_TOKEN:
        raise ConfigError(f"{where}: holds no token; allowed: one line without blanks")
    if mode & stat.S_IROTH:
        log.warning("%s: everybody on this host can read it; chmod 600 %s", where, file)
    if len(token) < GOOD_TOKEN:
        log.warning("%s: the token is short: %d characters; 32 random ones are good", where, len(token))
    return token


def tls_context(web: WebConfig, path: Path) -> ssl.SSLContext | None:
    """Give what HTTPS takes; None for HTTP.

    A client that shows a certificate shows a good one, or is not talked to; one without is asked for the token.

    Raises:
        ConfigError: a file cannot be read, or is not what it should be.
    """
    if not web.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    where = f"{path}: [web] certificate = {web.certificate}, key = {web.key}"
    certificate, key = place(web.certificate, where), place(web.key, where)
    try:
        context.load_cert_chain(certificate, key, password=lambda: b"")
    except OSError as error:  # ssl.SSLError is one, too
        raise ConfigError(f"{where}: {_reason(error)}; allowed: PEM, a key without a password") from None
    if web.client_authority:
        where = f"{path}: [web] client_authority = {web.client_authority}"
        try:
            context.load_verify_locations(place(web.client_authority, where))
        except OSError as error:
            raise ConfigError(f"{where}: {_reason(error)}; allowed: certificates in PEM") from None
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


def place(text: str, where: str) -> Path:
    """Give the file that an option names: a path, or `credential:NAME`.

    Raises:
        ConfigError: this process was not given credentials by systemd.
    """
    if not text.startswith(CREDENTIAL):
        return Path(text)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise ConfigError(f"{where}: there are no credentials; allowed: in a unit with LoadCredential=, or a path")
    return Path(directory, text.removeprefix(CREDENTIAL))


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"is not understood ({(error.reason or 'no certificate or key').lower().replace('_', ' ')})"
    return f"cannot be read: {error.strerror}"
