"""Serving: over HTTPS, to clients with certificates, in an orderly way to the end."""

from __future__ import annotations

import asyncio
import resource
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
import sdnotify

from alagg.keys import files, identity
from alagg.web import serving
from alagg.web.access import Access, tls_context
from alagg.web.broker import Direct
from alagg.web.serving import DESCRIPTORS, Serving
from alagg.webconfig import WebConfig
from tests.web.clients import TOKEN, Running, Site, listening

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import TypeAlias

    Test: TypeAlias = Callable[[Running], Coroutine[Any, Any, None]]

ASK = b"GET /api/v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
WITH_TOKEN = ASK[:-2] + f"authorization: Bearer {TOKEN}\r\n\r\n".encode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with the certificates of a server, of a client, and of a client of another authority."""
    folder = tmp_path_factory.mktemp("keys")
    for ca, name in (("ca", "server"), ("ca", "laptop"), ("other", "stranger")):
        key, now = identity.new_key(), identity.now()
        authority = identity.authority(ca, key, now)
        if not (folder / f"{ca}.crt").exists():
            files.write_certificate(folder / f"{ca}.crt", authority.certificate)
            AUTHORITIES[ca] = authority
        own = identity.new_key()
        files.write_key(folder / f"{name}.key", own)
        files.write_certificate(folder / f"{name}.crt", identity.host(name, own, AUTHORITIES[ca], now, 1))
    return folder


AUTHORITIES: dict[str, identity.Authority] = {}


def site_over_tls(keys: Path, token: str, test: Test, authority: str) -> None:
    web = WebConfig(
        certificate=f"{keys}/server.crt", key=f"{keys}/server.key",
        client_authority=f"{keys}/{authority}.crt" if authority else "",
    )  # fmt: skip
    context = tls_context(web, Path("alagg.cfg"))

    async def running() -> None:
        async with Running(Site(Access(token)), context) as server:
            await asyncio.wait_for(test(server), 30)

    asyncio.run(running())


def client(keys: Path, name: str = "") -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=f"{keys}/ca.crt")
    context.check_hostname = False
    if name:
        context.load_cert_chain(f"{keys}/{name}.crt", f"{keys}/{name}.key")
    return context


def test_https_with_the_token(keys: Path) -> None:
    async def test(server: Running) -> None:
        assert (await server.say(ASK, ssl=client(keys))).startswith(b"HTTP/1.1 401 ")
        assert (await server.say(WITH_TOKEN, ssl=client(keys))).startswith(b"HTTP/1.1 200 ")

    site_over_tls(keys, TOKEN, test, "")


@pytest.mark.parametrize("token", ["", TOKEN])
def test_certificate_of_the_authority_needs_no_token(keys: Path, token: str) -> None:
    async def test(server: Running) -> None:
        assert (await server.say(ASK, ssl=client(keys, "laptop"))).startswith(b"HTTP/1.1 200 ")
        assert (await server.say(ASK, ssl=client(keys))).startswith(b"HTTP/1.1 401 ")
        answer = await server.say(WITH_TOKEN, ssl=client(keys))
        assert answer.startswith(b"HTTP/1.1 200 " if token else b"HTTP/1.1 401 ")

    site_over_tls(keys, token, test, "ca")


def test_certificate_of_another_authority_is_not_talked_to(keys: Path) -> None:
    async def test(server: Running) -> None:
        try:
            answer = await server.say(WITH_TOKEN, ssl=client(keys, "stranger"))
        except OSError:
            answer = b""
        assert answer == b""

    site_over_tls(keys, TOKEN, test, "ca")


def test_without_an_authority_a_certificate_says_nothing(keys: Path) -> None:
    async def test(server: Running) -> None:
        assert (await server.say(ASK, ssl=client(keys, "stranger"))).startswith(b"HTTP/1.1 401 ")

    site_over_tls(keys, TOKEN, test, "")


def test_handshake_that_does_not_go_on_is_not_waited_for(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HANDSHAKE", 0.1)

    async def test(server: Running) -> None:
        assert await server.say(b"\x16\x03\x01\x02\x00") == b""
        assert await server.say(ASK) == b""  # plain HTTP to a port for HTTPS

    site_over_tls(keys, TOKEN, test, "")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_both_families(host: str) -> None:
    async def running() -> None:
        async with Running(Site(), host=host) as server:
            assert (await server.say(WITH_TOKEN)).startswith(b"HTTP/1.1 200 ")

    asyncio.run(running())


def test_rehearsal_needs_no_node_and_leaves_nothing(tmp_path: Path) -> None:
    with listening() as listener:
        door = Direct(tmp_path / "none.sock", tmp_path / "none.db")
        Serving(Access(TOKEN), None, listener, door, tmp_path / "none.sock").rehearse()
        assert list(tmp_path.iterdir()) == []


def test_nothing_is_served_when_what_asks_the_node_has_failed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail() -> None:
        raise KeyError("name")

    with listening() as listener:
        made = Serving(Access(TOKEN), None, listener, Direct(tmp_path / "none.sock", tmp_path / "none.db"), tmp_path)
        monkeypatch.setattr(made.hub, "run", fail)
        monkeypatch.setattr(sdnotify, "SystemdNotifier", Mock)
        assert asyncio.run(asyncio.wait_for(made._run(), 30)) == 1
    assert caplog.messages[-1] == "what asks the node has failed: KeyError('name')"


def test_there_are_descriptors_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: told.append(limits))
    for soft, hard in ((64, 4096), (64, 100), (64, resource.RLIM_INFINITY), (DESCRIPTORS, 4096)):
        monkeypatch.setattr(resource, "getrlimit", lambda _, limits=(soft, hard): limits)
        serving._allow_descriptors()
    assert told == [(DESCRIPTORS, 4096), (100, 100), (DESCRIPTORS, resource.RLIM_INFINITY)]
