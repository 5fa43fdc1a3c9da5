"""Addresses of links."""

from __future__ import annotations

import pytest

from alagg.stream.address import ALLOWED, TCP, TLS, UNIX, WS, WSS, parse


@pytest.mark.parametrize(
    ("text", "kind", "host", "port"),
    [
        ("127.0.0.1:7400", TCP, "127.0.0.1", 7400),
        ("host.example:1", TCP, "host.example", 1),
        ("[fe80::1%eth0]:7400", TCP, "fe80::1%eth0", 7400),
        ("tls://host:443", TLS, "host", 443),
        ("tls://[::1]:443", TLS, "::1", 443),
        ("unix:/run/a b", UNIX, "/run/a b", 0),
        ("ws://host", WS, "host", 80),
        ("ws://host:8080/a/b?c", WS, "host", 8080),
        ("wss://[::1]", WSS, "::1", 443),
        ("wss://[::1]:7/", WSS, "::1", 7),
    ],
)
def test_addresses_are_read(text: str, kind: str, host: str, port: int) -> None:
    assert parse(text)[:4] == (kind, host, port, text)


@pytest.mark.parametrize(
    "text",
    [
        "", "host", ":1", "host:", "host:x", "host:65536", "::1:80", "[host]:1", "http://host:80", "unix:", "a:²",
        "ws://", "ws:///x", "wss://a:b/",
    ],
)
def test_others_are_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ValueError, match="is no address of a link") as caught:
        parse(text)
    assert repr(text) in str(caught.value)
    assert ALLOWED in str(caught.value)


@pytest.mark.parametrize(
    ("text", "path", "other"),
    [
        ("ws://host", "/", "ws://host:5/"),
        ("wss://[::1]:7/a/b?c", "/a/b?c", "wss://[::1]:5/a/b?c"),
        ("tls://host:0", "", "tls://host:5"),
        ("[::1]:0", "", "[::1]:5"),
    ],
)
def test_paths_are_kept_and_ports_filled_in(text: str, path: str, other: str) -> None:
    address = parse(text)
    assert address.path == path
    assert address.with_port(5) == other
