"""Trust: what this node shows of itself, which certificates are a peer's, and why another one is refused.

OpenSSL judges chains, times and the strength of keys; what belongs to a peer, its pinned certificate, its name and
the list of what was revoked, is judged here.
"""

from __future__ import annotations

import hashlib
import hmac
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from alagg.keys import files, identity
from alagg.keys.files import KeyFileError

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOL: Final = "alagg/2"
"""What the two sides of a handshake agree to speak (RFC 7301)."""
STRENGTH: Final = "DEFAULT:@SECLEVEL=2"
"""What OpenSSL demands of keys and signatures: 112 bits."""
CALLERS: Final = 4
"""Marks by which a caller is known: its certificate's, and those of its first names."""
MARK: Final = 8
"""Bytes of a mark."""

EXPIRED, EARLY, REVOKED, NAME, AUTHORITY, WEAK, LIST, PINNED, NONE, PURPOSE, OTHER, TLS, VERSION = range(1, 14)
REFUSALS: Final = {
    EXPIRED: "the certificate has expired (or a clock is wrong)",
    EARLY: "the certificate is not yet valid (or a clock is wrong)",
    REVOKED: "the certificate was revoked",
    NAME: "the certificate bears another name",
    AUTHORITY: "the certificate is of another authority, or one between the two is missing in its file",
    WEAK: "the certificate, or one that it hangs on, has a weak key or signature",
    LIST: "the list of revoked certificates is of another authority than the certificate",
    PINNED: "the certificate is another one than the one that was configured",
    NONE: "there is no certificate",
    PURPOSE: "the certificate is not meant for both ends of a connection (its extended key usage)",
    OTHER: "the certificate is not accepted",
    TLS: "TLS 1.3 failed",
    VERSION: "it speaks another version of alagg",
}
"""Why a handshake is refused, in words; the numbers are told to the other side."""

# X509_V_ERR_… of OpenSSL's x509_vfy.h.
_VERIFY: Final = {
    9: EARLY, 10: EXPIRED, 18: AUTHORITY, 19: AUTHORITY, 2: AUTHORITY, 20: AUTHORITY, 21: AUTHORITY, 7: AUTHORITY,
    23: REVOKED, 26: PURPOSE, 66: WEAK, 67: WEAK, 68: WEAK,
}  # fmt: skip


@dataclass(frozen=True)
class Own:
    """What a node shows of itself."""

    key: Path
    certificate: Path
    """The certificate, and behind it those between it and its authority."""
    chain: tuple[x509.Certificate, ...]
    knocks: tuple[bytes, ...]
    """What frames of a handshake to this node are marked with, by what the other side may know of it."""


@dataclass(frozen=True)
class Trust:
    """Which certificates are a peer's: one alone, or those of an authority that bear a name."""

    anchor: x509.Certificate
    """The peer's certificate, or the authority's."""
    name: str = ""
    """The name; empty for a pinned certificate."""
    revoked: x509.CertificateRevocationList | None = None

    @property
    def pinned(self) -> bool:
        """Whether this one certificate is meant."""
        return not self.name

    @property
    def knock(self) -> bytes:
        """What frames of a handshake to the peer are marked with: whoever does not know it is not answered."""
        return _knock_of_one(self.anchor) if self.pinned else _knock(_subject(self.anchor), _identifier(self.anchor))

    def mark(self, knock: bytes) -> bytes:
        """Give the mark by which this peer is known when it calls."""
        return _mark(knock, _of_one(self.anchor) if self.pinned else self.name.lower().encode())


def read_own(key: Path, certificate: Path) -> Own:
    """Read a node's key and certificate.

    Raises:
        KeyFileError: one of them cannot be used, or they do not belong together.
    """
    private, chain = files.read_key(key), files.read_certificates(certificate)
    if private.public_key() != chain[0].public_key():
        raise KeyFileError(f"{certificate}: is another key's; allowed: the certificate of {key}")
    _demand_time(certificate, chain[0])
    knocks = [_knock_of_one(chain[0])]
    knocks += [_knock(one.issuer.public_bytes(), _issuer_identifier(one)) for one in chain]
    knocks += [_knock(_subject(one), _identifier(one)) for one in chain[1:]]
    own = Own(key, certificate, chain, tuple(dict.fromkeys(knocks)))
    _context(own, server=True)  # refuses a weak key
    return own


def read_pinned(path: Path) -> Trust:
    """Read the certificate that is a peer's.

    Raises:
        KeyFileError: it cannot be used.
    """
    return Trust(files.read_certificates(path)[0])


def read_authority(path: Path, name: str, revoked: Path | None) -> Trust:
    """Read the authority whose certificates are a peer's when they bear a name, and what it has revoked.

    Raises:
        KeyFileError: one of the files cannot be used.
    """
    authority = files.read_certificates(path)[0]
    if not identity.is_authority(authority):
        raise KeyFileError(f"{path}: is not an authority's; allowed: one that may sign, or certificate = {path}")
    listed = None if revoked is None else files.read_revoked(revoked)
    if revoked is not None and listed is not None and listed.issuer == authority.subject:
        try:
            signed = listed.is_signature_valid(authority.public_key())  # type: ignore[arg-type]
        except TypeError:
            signed = False
        if not signed:
            raise KeyFileError(f"{revoked}: was not signed by {path}; allowed: the authority's own list")
    return Trust(authority, name, listed)


def context(own: Own, trust: Trust, *, server: bool) -> ssl.SSLContext:
    """Give what OpenSSL needs for one end of a handshake with a peer: TLS 1.3, certificates on both sides."""
    made = _context(own, server=server)
    made.load_verify_locations(cadata=trust.anchor.public_bytes(Encoding.DER))
    return made


def refusal(trust: Trust, certificate: x509.Certificate) -> int:
    """Say why a certificate, whose chain and time are good, is not the peer's; 0 when it is."""
    if trust.pinned:
        return 0 if certificate == trust.anchor else PINNED
    if trust.name.lower() not in {name.lower() for name in identity.names_of(certificate)}:
        return NAME
    if trust.revoked is None:
        return 0
    if trust.revoked.issuer != certificate.issuer:
        return LIST
    found = trust.revoked.get_revoked_certificate_by_serial_number(certificate.serial_number)
    return 0 if found is None else REVOKED


def reason_of(error: ssl.SSLError) -> int:
    """Say why OpenSSL has ended a handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY.get(error.verify_code, OTHER)
    return NONE if error.reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE" else TLS


def caller_marks(own: Own, knock: bytes) -> bytes:
    """Give the marks by which this node is known to whoever it calls."""
    names = identity.names_of(own.chain[0])[: CALLERS - 1]
    marks = [_mark(knock, _of_one(own.chain[0])), *(_mark(knock, name.lower().encode()) for name in names)]
    return b"".join(marks).ljust(CALLERS * MARK, b"\0")


def _context(own: Own, *, server: bool) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.check_hostname = False
    made.verify_mode = ssl.CERT_REQUIRED
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    made.set_ciphers(STRENGTH)
    made.set_alpn_protocols([PROTOCOL])
    if server:
        made.num_tickets = 0
    try:
        made.load_cert_chain(own.certificate, own.key)
    except ssl.SSLError as error:
        if error.reason in {"EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"}:
            text = f"{own.certificate}: has a weak key or signature; allowed: Ed25519, or RSA from 2048 bits"
            raise KeyFileError(text) from None
        raise KeyFileError(f"{own.certificate}: cannot be used with {own.key}: {error.reason}") from None
    return made


def _demand_time(path: Path, certificate: x509.Certificate) -> None:
    now = identity.now()
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= end:
        raise KeyFileError(f"{path}: has expired on {end:%Y-%m-%d %H:%M} UTC; it is {now:%Y-%m-%d %H:%M} here")
    if now < begin:
        raise KeyFileError(f"{path}: is valid from {begin:%Y-%m-%d %H:%M} UTC on; it is {now:%Y-%m-%d %H:%M} here")


def _of_one(certificate: x509.Certificate) -> bytes:
    return certificate.fingerprint(SHA256())


def _knock_of_one(certificate: x509.Certificate) -> bytes:
    return hashlib.sha256(b"alagg: one certificate" + _of_one(certificate)).digest()


def _knock(subject: bytes, identifier: bytes) -> bytes:
    return hashlib.sha256(b"alagg: an authority" + subject + identifier).digest()


def _subject(certificate: x509.Certificate) -> bytes:
    return certificate.subject.public_bytes()


def _identifier(certificate: x509.Certificate) -> bytes:
    """Give what names an authority's key in the certificates that it signs (RFC 5280, 4.2.1.2)."""
    try:
        return certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        return x509.SubjectKeyIdentifier.from_public_key(certificate.public_key()).digest


def _issuer_identifier(certificate: x509.Certificate) -> bytes:
    try:
        found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        found = None
    return found or b""


def _mark(knock: bytes, who: bytes) -> bytes:
    return hmac.digest(knock, b"caller" + who, "sha256")[:MARK]
