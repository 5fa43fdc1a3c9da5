"""Trust: whose certificate is a peer's, what a node shows of itself, and one line for each fault of a file."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from alagg.keys import files, identity, trust
from alagg.keys.files import KeyFileError
from alagg.keys.trust import LIST, NAME, PINNED, REVOKED
from tests.keys.making import node

if TYPE_CHECKING:
    from pathlib import Path

NOW = identity.now()


def test_a_pinned_certificate_is_the_only_one(tmp_path: Path) -> None:
    one, other = node(tmp_path, "one"), node(tmp_path, "other")
    pinned = trust.read_pinned(one.certificate)
    assert pinned.pinned
    assert trust.refusal(pinned, one.own.chain[0]) == 0
    assert trust.refusal(pinned, other.own.chain[0]) == PINNED


def test_an_authority_name_and_list(tmp_path: Path) -> None:
    authority = identity.authority("ca", identity.new_key(), NOW)
    files.write_certificate(tmp_path / "ca.crt", authority.certificate)
    good, bad = (identity.host(name, identity.new_key(), authority, NOW) for name in ("Good", "bad"))
    files.write_revoked(tmp_path / "ca.crl", identity.revoke(authority, [bad.serial_number], NOW))
    crl = tmp_path / "ca.crl"
    assert trust.refusal(trust.read_authority(tmp_path / "ca.crt", "good", crl), good) == 0
    assert trust.refusal(trust.read_authority(tmp_path / "ca.crt", "good", crl), bad) == NAME
    assert trust.refusal(trust.read_authority(tmp_path / "ca.crt", "bad", crl), bad) == REVOKED
    assert trust.refusal(trust.read_authority(tmp_path / "ca.crt", "bad", None), bad) == 0


def test_a_list_of_another_authority(tmp_path: Path) -> None:
    mine, other = (identity.authority(name, identity.new_key(), NOW) for name in ("mine", "other"))
    twin = identity.authority("mine", identity.new_key(), NOW)
    files.write_certificate(tmp_path / "mine.crt", mine.certificate)
    files.write_revoked(tmp_path / "other.crl", identity.revoke(other, [1], NOW))
    files.write_revoked(tmp_path / "twin.crl", identity.revoke(twin, [1], NOW))
    host = identity.host("host", identity.new_key(), mine, NOW)
    assert trust.refusal(trust.read_authority(tmp_path / "mine.crt", "host", tmp_path / "other.crl"), host) == LIST
    with pytest.raises(KeyFileError, match=r"twin\.crl: was not signed by .*mine\.crt; allowed: the authority's own"):
        trust.read_authority(tmp_path / "mine.crt", "host", tmp_path / "twin.crl")


def test_an_authority_must_be_one(tmp_path: Path) -> None:
    made = node(tmp_path, "host")
    with pytest.raises(KeyFileError, match=r"host\.crt: is not an authority's; allowed: .* certificate = "):
        trust.read_authority(made.certificate, "host", None)


def test_key_and_certificate_must_belong_together(tmp_path: Path) -> None:
    one, other = node(tmp_path, "one"), node(tmp_path, "other")
    with pytest.raises(KeyFileError, match=r"other\.crt: is another key's; allowed: the certificate of .*one\.key"):
        trust.read_own(one.own.key, other.certificate)


@pytest.mark.parametrize(("days", "says"), [(-20, "has expired on .* here"), (20, "is valid from .* here")])
def test_a_certificate_out_of_its_time(tmp_path: Path, days: int, says: str) -> None:
    key = identity.new_key()
    certificate = identity.host("host", key, None, NOW + timedelta(days=days), 10)
    files.write_key(tmp_path / "host.key", key)
    files.write_certificate(tmp_path / "host.crt", certificate)
    with pytest.raises(KeyFileError, match=says):
        trust.read_own(tmp_path / "host.key", tmp_path / "host.crt")


def test_a_weak_key_is_refused(tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "weak")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW, NOW + timedelta(days=9))
    files.write_key(tmp_path / "weak.key", key)  # type: ignore[arg-type]
    files.write_certificate(tmp_path / "weak.crt", builder.sign(key, SHA256()))
    with pytest.raises(KeyFileError, match=r"weak\.crt: has a weak key or signature; allowed: Ed25519, or RSA"):
        trust.read_own(tmp_path / "weak.key", tmp_path / "weak.crt")


def test_knocks_say_whom_a_frame_is_for(tmp_path: Path) -> None:
    authority = identity.authority("ca", identity.new_key(), NOW)
    files.write_certificate(tmp_path / "ca.crt", authority.certificate)
    alone, signed = node(tmp_path, "alone"), node(tmp_path, "signed", authority)
    by_authority = trust.read_authority(tmp_path / "ca.crt", "signed", None)
    assert trust.read_pinned(alone.certificate).knock in alone.own.knocks
    assert trust.read_pinned(signed.certificate).knock in signed.own.knocks
    assert by_authority.knock in signed.own.knocks
    assert by_authority.knock not in alone.own.knocks


def test_a_caller_is_known_by_its_certificate_or_name(tmp_path: Path) -> None:
    authority = identity.authority("ca", identity.new_key(), NOW)
    files.write_certificate(tmp_path / "ca.crt", authority.certificate)
    made, other = node(tmp_path, "made", authority), node(tmp_path, "other", authority)
    knock = bytes(32)
    marks = trust.caller_marks(made.own, knock)
    for known in (trust.read_pinned(made.certificate), trust.read_authority(tmp_path / "ca.crt", "MADE", None)):
        assert known.mark(knock) in marks
        assert known.mark(knock) not in trust.caller_marks(other.own, knock)
        assert known.mark(knock) not in trust.caller_marks(made.own, bytes(range(32)))
