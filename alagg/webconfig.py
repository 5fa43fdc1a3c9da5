"""The section `[web]`: where the web process listens, and whom it lets in."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from alagg.option import Option
from alagg.values import RefusedError

if TYPE_CHECKING:
    from typing import TypeAlias

    Address: TypeAlias = tuple[str, int]

LISTEN: Final = "127.0.0.1:7312"
TOKEN_FILE: Final = "/etc/alagg/web.token"  # noqa: S105 - where it is, not what it is
USER: Final = "nobody"
CREDENTIAL: Final = "credential:"
"""What the name of a systemd credential stands behind (systemd.exec(5), LoadCredential=)."""
_ADDRESS: Final = "an address and a port from 0 to 65535 such as 127.0.0.1:7312 or [::1]:7312"


@dataclass(frozen=True)
class WebConfig:
    """What `[web]` says."""

    listen: Address = ("127.0.0.1", 7312)
    token_file: str = TOKEN_FILE
    """A path, or `credential:NAME`; empty where certificates alone let in."""
    certificate: str = ""
    """The server's own, with those that it hangs on; empty for HTTP."""
    key: str = ""
    client_authority: str = ""
    """Whose certificates let a client in; empty for none."""
    user: str = USER
    """Whom the process becomes when root starts it."""

    @property
    def local(self) -> bool:
        """Whether only this host can reach it."""
        return ipaddress.ip_address(self.listen[0]).is_loopback

    @property
    def url(self) -> str:
        """Where a browser finds it."""
        host, port = self.listen
        return f"http{'s' if self.certificate else ''}://{f'[{host}]' if ':' in host else host}:{port}/"


def listen(text: str) -> Address:
    """Read an address and a port."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    host = "127.0.0.1" if host == "localhost" else host.removeprefix("[").removesuffix("]")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise RefusedError(_ADDRESS) from None
    digits = port.isascii() and port.isdigit() and int(port) <= 65535
    if not colon or not digits or bracketed != (address.version == 6):
        raise RefusedError(_ADDRESS)
    return str(address), int(port)


def place(text: str) -> str:
    """Read where a secret or a certificate is: a path, a systemd credential, or nothing."""
    name = text.removeprefix(CREDENTIAL)
    if text.startswith(CREDENTIAL):
        good = bool(name) and "/" not in name and name not in {".", ".."}
    else:
        good = not text or (text.startswith("/") and not text.endswith("/"))
    if not good or "\0" in text:
        raise RefusedError(f"an absolute path, or {CREDENTIAL}NAME")
    return text


def user(text: str) -> str:
    """Read the name of a user."""
    if not text or " " in text or text == "root":
        raise RefusedError("the name of a user of this host other than root")
    return text


WEB: Final = (
    Option("listen", LISTEN, listen, "where the dashboard and the API are: address and port, IPv6 in brackets"),
    Option("token_file", TOKEN_FILE, place,
           "file with the token that lets in: a path, credential:NAME (systemd), or empty (certificates only)"),
    Option("certificate", "", place, "HTTPS: the certificate in PEM, with those that it hangs on; empty: HTTP"),
    Option("key", "", place, "HTTPS: the certificate's private key in PEM"),
    Option("client_authority", "", place, "HTTPS: clients with a certificate of this authority need no token"),
    Option("user", USER, user, "whom `alagg web` becomes when root starts it"),
)  # fmt: skip


def contradiction(web: WebConfig) -> str:
    """Say which options cannot work together, as `key = value: why; allowed: …`; nothing when all fit."""
    if web.certificate and not web.key:
        return f"certificate = {web.certificate}: needs a key; allowed: certificate and key, or neither"
    if web.key and not web.certificate:
        return f"key = {web.key}: needs a certificate; allowed: certificate and key, or neither"
    if web.client_authority and not web.certificate:
        return f"client_authority = {web.client_authority}: needs HTTPS; allowed: with certificate and key"
    if not web.token_file and not web.client_authority:
        return "token_file =: nobody could come in; allowed: a token_file, a client_authority, or both"
    return ""
