"""`alagg key`: makes keys and certificates, shows what two people compare, and revokes what an authority signed."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alagg.cli.errors import CommandError
from alagg.keys import files, identity
from alagg.keys.files import KeyFileError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MINUTES: Final = "%Y-%m-%d %H:%M"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    new = actions.add_parser("new", help="make a private key, and the certificate that the other side gets")
    _add_making(new, "the host's name")
    new.add_argument("--authority", metavar="DIR/CA", type=Path, help="have this authority sign; else the key itself")
    new.set_defaults(action=_new)
    authority = actions.add_parser("authority", help="make an authority, which signs the certificates of many hosts")
    _add_making(authority, "the authority's name")
    authority.set_defaults(action=_authority)
    show = actions.add_parser("show", help="show a certificate's fingerprint, and a short form to read out")
    show.add_argument("file", metavar="FILE", type=Path, help="a certificate, or a key that has its own beside it")
    show.set_defaults(action=_show)
    revoke = actions.add_parser("revoke", help="take back a certificate: write its authority's list, DIR/CA.crl")
    revoke.add_argument("file", metavar="FILE", type=Path, help="the certificate")
    revoke.add_argument("--authority", metavar="DIR/CA", type=Path, required=True, help="who signed it")
    revoke.set_defaults(action=_revoke)


def run(args: argparse.Namespace) -> int:
    """Do it, and say what was written."""
    try:
        status: int = args.action(args)
    except KeyFileError as error:
        raise CommandError(str(error)) from None
    return status


def _add_making(parser: argparse.ArgumentParser, purpose: str) -> None:
    parser.add_argument("--name", required=True, help=f"{purpose}: {identity.NAME_ALLOWED}")
    parser.add_argument("--dir", metavar="DIR", type=Path, required=True, help="where the files go")
    parser.add_argument("--days", type=_days, default=identity.DAYS, help="how long it is good (default %(default)s)")


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 36500:
        raise argparse.ArgumentTypeError(f"{text}: allowed: 1 to 36500")
    return int(text)


def _new(args: argparse.Namespace) -> int:
    authority = files.read_authority(args.authority) if args.authority else None
    key = identity.new_key()
    try:
        certificate = identity.host(args.name, key, authority, identity.now(), args.days)
    except ValueError as error:
        raise CommandError(f"--name {args.name}: {error}") from None
    chain = (certificate, authority.certificate) if authority else (certificate,)
    crt = _write(args.dir, args.name, key, chain)
    print(f"keep:      {crt.with_name(args.name + '.key')}")
    print(f"hand over: {crt}")
    _print(certificate)
    return 0


def _authority(args: argparse.Namespace) -> int:
    key = identity.new_key()
    try:
        authority = identity.authority(args.name, key, identity.now(), args.days)
    except ValueError as error:
        raise CommandError(f"--name {args.name}: {error}") from None
    crt = _write(args.dir, args.name, key, (authority.certificate,))
    print(f"keep:      {crt.with_name(args.name + '.key')}, away from the hosts")
    print(f"hand over: {crt}")
    _print(authority.certificate)
    return 0


def _show(args: argparse.Namespace) -> int:
    _print(_certificate_of(args.file))
    return 0


def _revoke(args: argparse.Namespace) -> int:
    authority = files.read_authority(args.authority)
    certificate = files.read_certificates(args.file)[0]
    if certificate.issuer != authority.certificate.subject:
        raise CommandError(f"{args.file}: was not signed by {args.authority}")
    path = args.authority.with_name(args.authority.name.removesuffix(".crt").removesuffix(".key") + ".crl")
    before = [one.serial_number for one in files.read_revoked(path)] if path.exists() else []
    serials = {*before, certificate.serial_number}
    files.write_revoked(path, identity.revoke(authority, serials, identity.now()))
    print(f"hand over: {path}, to every host that trusts the authority (revoked = FILE)")
    print(f"revoked:   {len(serials)} in all, now with {', '.join(identity.names_of(certificate))}")
    return 0


def _write(directory: Path, name: str, key: Ed25519PrivateKey, chain: tuple[x509.Certificate, ...]) -> Path:
    """Write both files, or none."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path, crt = directory / f"{name}.key", directory / f"{name}.crt"
    if crt.exists():
        raise CommandError(f"{crt}: is there already; allowed: another name or directory, or remove it")
    files.write_key(path, key)
    try:
        files.write_certificate(crt, *chain)
    except OSError:
        path.unlink()
        raise
    return crt


def _certificate_of(path: Path) -> x509.Certificate:
    """Give the certificate that a file is, or that lies beside a key."""
    if path.suffix != ".key":
        return files.read_certificates(path)[0]
    key = files.read_key(path)
    beside = path.with_suffix(".crt")
    if not os.path.lexists(beside):
        raise CommandError(f"{path}: has no certificate beside it; allowed: the certificate itself")
    certificate = files.read_certificates(beside)[0]
    if certificate.public_key() != key.public_key():
        raise CommandError(f"{beside}: is another key's; allowed: the certificate of {path}")
    return certificate


def _print(certificate: x509.Certificate) -> None:
    issuer = "itself" if certificate.issuer == certificate.subject else certificate.issuer.rfc4514_string()
    print(f"name:      {', '.join(identity.names_of(certificate)) or 'none'}")
    print(f"signed by: {issuer}")
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    print(f"good:      {begin:{MINUTES}} to {end:{MINUTES}} UTC")
    print(f"read out:  {identity.short_form(certificate)}")
    print(f"SHA-256:   {identity.fingerprint(certificate)}")
