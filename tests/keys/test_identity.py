"""Identities: what `openssl` says of the certificates, since it is what judges them."""

from __future__ import annotations

import subprocess
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from alagg.keys import identity

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 27, tzinfo=timezone.utc)


def pem(path: Path, *certificates: x509.Certificate | x509.CertificateRevocationList) -> Path:
    path.write_bytes(b"".join(one.public_bytes(Encoding.PEM) for one in certificates))
    return path


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def host(name: str = "robot", authority: identity.Authority | None = None, days: int = 10) -> x509.Certificate:
    return identity.host(name, identity.new_key(), authority, NOW, days)


def verify(trusted: Path, certificate: Path, *more: str | Path, when: datetime = NOW) -> str:
    time = ("-attime", str(int(when.timestamp())))
    return openssl("verify", "-partial_chain", "-purpose", "sslserver", *time, *more, "-CAfile", trusted, certificate)


def test_a_pinned_certificate_is_good_for_itself_alone(tmp_path: Path) -> None:
    mine, other = pem(tmp_path / "mine.crt", host()), pem(tmp_path / "other.crt", host())
    assert verify(mine, mine).endswith("OK\n")
    assert "verification failed" in verify(mine, other)


def test_an_authority_signs_for_hosts_which_cannot_sign_themselves(tmp_path: Path) -> None:
    authority = identity.authority("office-ca", identity.new_key(), NOW)
    trusted = pem(tmp_path / "ca.crt", authority.certificate)
    assert verify(trusted, pem(tmp_path / "robot.crt", host(authority=authority))).endswith("OK\n")
    key = identity.new_key()
    with pytest.raises(ValueError, match="not an authority's"):
        identity.Authority(identity.host("robot", key, None, NOW), key)
    with pytest.raises(ValueError, match="the key is not the certificate's"):
        identity.Authority(authority.certificate, key)


def test_an_authority_of_another_kind_of_key_signs_as_well(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "foreign")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=9))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    authority = identity.Authority(builder.sign(key, SHA256()), key)
    trusted = pem(tmp_path / "ca.crt", authority.certificate)
    assert verify(trusted, pem(tmp_path / "robot.crt", host(authority=authority))).endswith("OK\n")


@pytest.mark.parametrize(("days", "says"), [(-2, "not yet valid"), (-1, "OK"), (10, "OK"), (11, "expired")])
def test_time(tmp_path: Path, days: int, says: str) -> None:
    mine = pem(tmp_path / "mine.crt", host())
    assert says in verify(mine, mine, when=NOW + timedelta(days=days, hours=-1 if days > 0 else 1))


def test_a_revoked_certificate_is_refused_and_others_are_not(tmp_path: Path) -> None:
    authority = identity.authority("office-ca", identity.new_key(), NOW)
    good, bad = host("good", authority), host("bad", authority)
    trusted = pem(tmp_path / "ca.crt", authority.certificate)
    revoked = pem(tmp_path / "ca.crl", identity.revoke(authority, [bad.serial_number] * 2, NOW))
    check = ("-crl_check", "-CRLfile", revoked)
    assert verify(trusted, pem(tmp_path / "good.crt", good), *check).endswith("OK\n")
    assert "certificate revoked" in verify(trusted, pem(tmp_path / "bad.crt", bad), *check)


@pytest.mark.parametrize("name", ["", "a b", "-a", "a-", ".a", "a" * 65, "ä", "a/b", "a\nb"])
def test_names_that_are_none(name: str) -> None:
    with pytest.raises(ValueError, match="allowed: 1 to 64 letters"):
        host(name)
    with pytest.raises(ValueError, match="allowed: 1 to 64 letters"):
        identity.authority(name, identity.new_key(), NOW)


@pytest.mark.parametrize("name", ["a", "robot", "robot-7.example.org", "a" * 63, "R2"])
def test_names(name: str) -> None:
    assert identity.names_of(host(name)) == (name,)


def test_fingerprint_is_that_of_openssl(tmp_path: Path) -> None:
    mine = host()
    said = openssl("x509", "-in", pem(tmp_path / "mine.crt", mine), "-noout", "-fingerprint", "-sha256")
    assert said.strip().lower() == f"sha256 fingerprint={identity.fingerprint(mine)}".lower()


def test_short_form_can_be_read_out() -> None:
    said = identity.short_form(host())
    assert [len(group) for group in said.split()] == [4] * identity.GROUPS
    assert not set(said) & set("ILOU")
    assert said != identity.short_form(host())
