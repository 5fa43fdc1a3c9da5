"""Identities: a private key, and the X.509 certificate that others know it by (RFC 5280).

Keys are Ed25519 (RFC 8410): small, quick, and without parameters that could be chosen badly. A certificate begins a
day in the past, since a node without a clock of its own may be late.
"""

from __future__ import annotations

import re
from base64 import b32encode
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes

DAYS: Final = 3650
"""How long a certificate is good: as long as a control cabinet stands."""
EARLY: Final = timedelta(days=1)
"""So far in the past a certificate begins."""
NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62}[A-Za-z0-9])?")
"""What a name may be: that of a host."""
NAME_ALLOWED: Final = "1 to 64 letters, digits, '.', '-', neither of the last two at an end"
GROUPS: Final = 5
"""Groups of four characters in the short form: 100 bits, out of reach for whoever looks for a second key."""

_USAGES: Final = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
    "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip
# Without I, L, O and U, as Crockford's base 32: nothing to confuse when it is read aloud.
_ALOUD: Final = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789ABCDEFGHJKMNPQRSTVWXYZ")


class Authority:
    """What signs the certificates of many hosts."""

    def __init__(self, certificate: x509.Certificate, key: CertificateIssuerPrivateKeyTypes) -> None:
        """Take the authority's certificate and private key.

        Raises:
            ValueError: they are of different keys, or the certificate is not an authority's.
        """
        if certificate.public_key() != key.public_key():
            raise ValueError("the key is not the certificate's")
        if not is_authority(certificate):
            raise ValueError("the certificate is not an authority's")
        self.certificate = certificate
        self.key = key

    @property
    def digest(self) -> SHA256 | None:
        """What signatures are made with; None where the key knows by itself."""
        return None if isinstance(self.key, Ed25519PrivateKey) else SHA256()


def new_key() -> Ed25519PrivateKey:
    """Make a private key."""
    return Ed25519PrivateKey.generate()


def host(
    name: str, key: Ed25519PrivateKey, authority: Authority | None, now: datetime, days: int = DAYS
) -> x509.Certificate:
    """Make a host's certificate, signed by an authority or by its own key.

    Raises:
        ValueError: the name cannot be a host's.
    """
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    names = x509.SubjectAlternativeName([x509.DNSName(_checked(name))])
    builder = _builder(name, key, authority, now, days).add_extension(usage, critical=False)
    builder = builder.add_extension(names, critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage("digital_signature"), critical=True)
    return builder.sign(authority.key if authority else key, authority.digest if authority else None)


def authority(name: str, key: Ed25519PrivateKey, now: datetime, days: int = DAYS) -> Authority:
    """Make an authority, which its own key signs.

    Raises:
        ValueError: the name cannot be one.
    """
    builder = _builder(_checked(name), key, None, now, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage("key_cert_sign", "crl_sign"), critical=True)
    return Authority(builder.sign(key, None), key)


def revoke(
    authority: Authority, revoked: Iterable[int], now: datetime, days: int = DAYS
) -> x509.CertificateRevocationList:
    """Make the list of an authority's certificates that are good no more, by their serial numbers."""
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=authority.certificate.subject, last_update=now - EARLY, next_update=now + timedelta(days=days)
    )
    for serial in sorted(set(revoked)):
        entry = x509.RevokedCertificateBuilder(serial_number=serial, revocation_date=now)
        builder = builder.add_revoked_certificate(entry.build())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.certificate.public_key())  # type: ignore[arg-type]
    return builder.add_extension(issuer, critical=False).sign(authority.key, authority.digest)


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """Give the names that a certificate bears: the DNS names in it, or, where it has none, its common name."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return tuple(str(one.value) for one in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME))
    return tuple(found.get_values_for_type(x509.DNSName))


def is_authority(certificate: x509.Certificate) -> bool:
    """Say whether a certificate may sign others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def fingerprint(certificate: x509.Certificate) -> str:
    """Give a certificate's SHA-256 in hexadecimal with colons, as `openssl x509 -fingerprint -sha256` does."""
    return certificate.fingerprint(SHA256()).hex(":").upper()


def short_form(certificate: x509.Certificate) -> str:
    """Give what two people compare over the phone: the first 100 bits of the fingerprint, in groups of four."""
    text = b32encode(certificate.fingerprint(SHA256())).decode().translate(_ALOUD)
    return " ".join(text[4 * group : 4 * group + 4] for group in range(GROUPS))


def now() -> datetime:
    """Give the time, as certificates count it."""
    return datetime.now(timezone.utc).replace(microsecond=0)


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"allowed: {NAME_ALLOWED}")
    return name


def _builder(
    name: str, key: Ed25519PrivateKey, authority: Authority | None, now: datetime, days: int
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    signing = authority.certificate.public_key() if authority else key.public_key()
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing)  # type: ignore[arg-type]
    builder = x509.CertificateBuilder(
        subject_name=subject, issuer_name=authority.certificate.subject if authority else subject,
        public_key=key.public_key(), serial_number=x509.random_serial_number(),
        not_valid_before=now - EARLY, not_valid_after=now + timedelta(days=days),
    )  # fmt: skip
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return builder.add_extension(identifier, critical=False)


def _usage(*allowed: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{usage: usage in allowed for usage in _USAGES})
