"""Where a link goes to: `HOST:PORT`, `tls://HOST:PORT`, `ws://HOST:PORT/PATH`, `wss://...` or `unix:PATH`."""

from __future__ import annotations

from typing import Final, NamedTuple

TCP: Final = "tcp"
TLS: Final = "tls"
UNIX: Final = "unix"
WS: Final = "ws"
WSS: Final = "wss"
SECURE: Final = (TLS, WSS)
"""Kinds that need an `ssl.SSLContext`."""
PORTS: Final = {WS: 80, WSS: 443}
"""Ports that may be left out."""
ALLOWED: Final = (
    "HOST:PORT, [IPv6]:PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, wss://HOST:PORT/PATH or unix:PATH"
)


class Address(NamedTuple):
    """One end of a link."""

    kind: str
    host: str
    """A name or an address; of a Unix socket its path."""
    port: int
    text: str
    """As it was given."""
    path: str = ""
    """Of a WebSocket, `/` at least."""

    def with_port(self, port: int) -> str:
        """Give the text with another port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = "" if self.kind == TCP else f"{self.kind}://"
        return f"{scheme}{host}:{port}{self.path}"


def parse(text: str) -> Address:
    """Read an address.

    Raises:
        ValueError: it is none, with what is allowed.
    """
    if text.startswith("unix:") and len(text) > 5:
        return Address(UNIX, text[5:], 0, text)
    scheme, found, rest = text.partition("://")
    kind, rest = (scheme, rest) if found else (TCP, text)
    rest, path = _without_path(rest, kind)
    host, colon, port = rest.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    well_formed = kind in (TCP, TLS, WS, WSS) and colon and bare and (":" in bare) == bracketed and "/" not in bare
    if not well_formed or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no address of a link: {ALLOWED}")
    return Address(kind, bare, int(port), text, path)


def _without_path(rest: str, kind: str) -> tuple[str, str]:
    """Take the path off, and put in the port that was left out, where it is a WebSocket's."""
    if kind not in PORTS:
        return rest, ""
    place, _, path = rest.partition("/")
    if place.endswith("]") or ":" not in place:
        place = f"{place}:{PORTS[kind]}" if place else place
    return place, f"/{path}"
