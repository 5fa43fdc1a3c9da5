"""Where a link goes to: `HOST:PORT`, `tls://HOST:PORT` or `unix:PATH`."""

from __future__ import annotations

from typing import Final, NamedTuple

TCP: Final = "tcp"
TLS: Final = "tls"
UNIX: Final = "unix"
ALLOWED: Final = "HOST:PORT, [IPv6]:PORT, tls://HOST:PORT or unix:PATH"


class Address(NamedTuple):
    """One end of a link."""

    kind: str
    host: str
    """A name or an address; of a Unix socket its path."""
    port: int
    text: str
    """As it was given."""


def parse(text: str) -> Address:
    """Read an address.

    Raises:
        ValueError: it is none, with what is allowed.
    """
    if text.startswith("unix:"):
        if len(text) == 5:
            raise ValueError(f"{text!r} is no address of a link: {ALLOWED}")
        return Address(UNIX, text[5:], 0, text)
    kind, rest = (TLS, text[6:]) if text.startswith("tls://") else (TCP, text)
    host, colon, port = rest.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    well_formed = colon and bare and (":" in bare) == bracketed and "/" not in bare
    if not well_formed or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{text!r} is no address of a link: {ALLOWED}")
    return Address(kind, bare, int(port), text)
