"""The files of keys: PEM (RFC 7468), private ones readable by their owner alone, or systemd's credentials."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from alagg.keys.identity import Authority

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    T = TypeVar("T")

CREDENTIAL: Final = "credential:"
"""What a systemd credential's name stands behind (systemd.exec(5), LoadCredential=)."""


class KeyFileError(ValueError):
    """What is wrong with a file of keys, in one line: file, and what is allowed. It never quotes what is in it."""


def place(text: str) -> Path:
    """Give the file that an option names: a path, or `credential:NAME`.

    Raises:
        KeyFileError: the node was not given credentials by systemd.
    """
    if not text.startswith(CREDENTIAL):
        return Path(text)
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if not directory:
        raise KeyFileError(f"{text}: there are no credentials; allowed: in a unit with LoadCredential=, or a file")
    return Path(directory, Path(text.removeprefix(CREDENTIAL)).name)


def write_key(path: Path, key: Ed25519PrivateKey) -> None:
    """Write a new private key, for its owner alone; what is there is never overwritten.

    Raises:
        KeyFileError: there is such a file.
        OSError: it cannot be written.
    """
    _write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), 0o600)


def write_certificate(path: Path, *chain: x509.Certificate) -> None:
    """Write a new certificate, for everybody to read, with those that it hangs on; overwrites nothing either."""
    _write_new(path, b"".join(one.public_bytes(Encoding.PEM) for one in chain), 0o644)


def write_revoked(path: Path, revoked: x509.CertificateRevocationList) -> None:
    """Write an authority's list; whoever reads it meanwhile has the old one or the new one.

    Raises:
        OSError: it cannot be written.
    """
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    _write_new(beside, revoked.public_bytes(Encoding.PEM), 0o644)
    beside.replace(path)


def read_key(path: Path) -> PrivateKeyTypes:
    """Read a private key.

    Raises:
        KeyFileError: it cannot be read, is none, or others can read it.
    """
    demand_private(path)
    return _read(path, lambda text: load_pem_private_key(text, None), "a private key in PEM, without a password")


def demand_private(path: Path) -> None:
    """Refuse a private key that others can read; systemd sees to those that it hands over.

    Raises:
        KeyFileError: they can, or there is no such file.
    """
    try:
        found = path.stat()
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from None
    handed_over = str(path.parent) == os.environ.get("CREDENTIALS_DIRECTORY")
    if stat.S_IMODE(found.st_mode) & 0o077 and not handed_over:
        raise KeyFileError(f"{path}: others can read it; allowed: for its owner alone, chmod 600 {path}")
    if found.st_uid not in {0, os.geteuid()} and not handed_over:
        raise KeyFileError(f"{path}: is another user's; allowed: root's, or one's own")


def read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Read one or more certificates.

    Raises:
        KeyFileError: the file cannot be read, or has none.
    """
    return tuple(_read(path, x509.load_pem_x509_certificates, "certificates in PEM"))


def read_revoked(path: Path) -> x509.CertificateRevocationList:
    """Read a list of certificates that are good no more.

    Raises:
        KeyFileError: the file cannot be read, or is none.
    """
    return _read(path, x509.load_pem_x509_crl, "a list of revoked certificates (CRL) in PEM")


def read_authority(stem: Path) -> Authority:
    """Read DIR/CA.key and DIR/CA.crt of an authority that is called DIR/CA.

    Raises:
        KeyFileError: one of them cannot be read, or they do not belong together.
    """
    stem = stem.with_suffix("") if stem.suffix in {".key", ".crt"} else stem
    key = read_key(_with(stem, ".key"))
    certificate = read_certificates(_with(stem, ".crt"))[0]
    try:  # a key that cannot sign has another public key than any certificate
        return Authority(certificate, key)  # type: ignore[arg-type]
    except ValueError as error:
        raise KeyFileError(f"{stem}: {error}; allowed: what `alagg key authority` made") from None


def _with(stem: Path, ending: str) -> Path:
    """Add an ending to a name that may have dots of its own."""
    return stem.with_name(stem.name + ending)


def _read(path: Path, load: Callable[[bytes], T], allowed: str) -> T:
    try:
        return load(path.read_bytes())
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):  # whose text may quote what is in the file
        raise KeyFileError(f"{path}: is not understood; allowed: {allowed}") from None


def _write_new(path: Path, content: bytes, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        raise KeyFileError(f"{path}: is there already; allowed: another name or directory, or remove it") from None
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(descriptor, mode)
        file.write(content)
        file.flush()
        os.fsync(descriptor)
