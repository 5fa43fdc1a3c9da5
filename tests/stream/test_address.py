"""Addresses of links."""

from __future__ import annotations

import pytest

from alagg.stream.address import ALLOWED, TCP, TLS, UNIX, parse


@pytest.mark.parametrize(
    ("text", "kind", "host", "port"),
    [
        ("127.0.0.1:7400", TCP, "127.0.0.1", 7400),
        ("host.example:1", TCP, "host.example", 1),
        ("[fe80::1%eth0]:7400", TCP, "fe80::1%eth0", 7400),
        ("tls://host:443", TLS, "host", 443),
        ("tls://[::1]:443", TLS, "::1", 443),
        ("unix:/run/a b", UNIX, "/run/a b", 0),
    ],
)
def test_addresses_are_read(text: str, kind: str, host: str, port: int) -> None:
    assert parse(text) == (kind, host, port, text)


@pytest.mark.parametrize(
    "text",
    ["", "host", ":1", "host:", "host:x", "host:65536", "::1:80", "[host]:1", "http://host:80", "unix:", "a:²"],
)
def test_others_are_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="is no address of a link") as caught:
        parse(text)
    assert repr(text) in str(caught.value)
    assert ALLOWED in str(caught.value)
