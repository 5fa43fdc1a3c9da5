"""Redaction: no secret is left, what helps stays, and one address has one stand-in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.keys import identity
from alagg.support.redaction import GONE, Redaction, this_host

SECRET = "s3cret-W0rd"


@pytest.mark.parametrize(
    "text",
    [
        "token = {}", "2026 somebody: the token: {}",
        "smtp_password = {}", "  password: {}", "PASSWORD={}", '"token": "{}",', ";secret = {}",
        "api_key = {}", "wifi-psk={}", "Authorization: Bearer {}", "authorization: basic {}==",
        "webhook = https://hooks.example/services/{}", "webhook = https://me:{}@hooks.example:8443/",
        "see https://a.example/x?key={}", "wss://u:{}@[fd99::1]:443/x",
    ],
)  # fmt: skip
def test_secret_goes(text: str) -> None:
    assert SECRET not in Redaction(addresses=False).text(f"before\n{text.format(SECRET)}\nafter\n")


@pytest.mark.parametrize(
    "text",
    [
        "token_file = /etc/alagg/web.token", "token_file = credential:web.token", "password_file = /etc/p",
        "key = /etc/alagg/host.key", "webhook = https://hooks.example:8443/", "destinations = 10.99.0.2, fd99::2",
        "fe80::1 dev eth0", "127.0.0.1", "ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb", "the token was refused",
        "2026-11-27T10:30:00", "1.2.3", "rate = 20mbit", "epoch 01:02",
    ],
)  # fmt: skip
def test_what_helps_stays(text: str) -> None:
    assert Redaction("gateway").text(text) == text


def test_keys_go_whole_or_cut() -> None:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - for this one

    pem = identity.new_key().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()  # fmt: skip
    body = pem.splitlines()[1]
    for text in (pem, pem * 2, pem.partition("-----END")[0]):
        assert body not in Redaction(addresses=False).text(f"a\n{text}")


def test_addresses_have_one_stand_in_each() -> None:
    redaction = Redaction("gateway.example")
    told = redaction.text("link/ether 52:54:00:12:34:56 via 8.8.8.8 on gateway.example\n")
    assert told == "link/ether 52:54:00:[card 1] via [public IPv4 2] on this-host\n"
    assert redaction.text("8.8.8.8/24 8.8.4.4 2001:4860:4860::8888") == (
        "[public IPv4 2]/24 [public IPv4 3] [public IPv6 4]"
    )
    assert redaction.text("52-54-00-12-34-56") == "52:54:00:[card 1]"
    assert redaction.text("mail to ops@example.org") == "mail to [e-mail address]"
    kept = "8.8.8.8 52:54:00:12:34:56 ops@example.org"
    assert Redaction("8.8.8.8", addresses=False).text(kept) == kept


def test_this_host_s_name_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "cabinet-7")
    assert this_host().text("cabinet-7 kernel: cabinet-70") == "this-host kernel: cabinet-70"


@given(st.text(), st.text(st.characters(categories=["L", "N"]), min_size=4))
def test_whatever_stands_around_it(around: str, secret: str) -> None:
    told = Redaction(addresses=False).text(f"{around}\npassword = x{secret}\n{around}")
    assert f"password = {GONE}" in told
