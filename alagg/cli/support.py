"""`alagg support`: writes one archive for whoever is asked for help, without secrets in it."""

from __future__ import annotations

import io
import os
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from alagg.cli.errors import CommandError
from alagg.cli.parser import add_socket, named_socket
from alagg.support import gathering
from alagg.support.redaction import Redaction, this_host

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

_ABOUT: Final = """\
What `alagg support` gathered on this host. Look through it before you hand it on.

Never in it: private keys, tokens, passwords, what stands in URLs behind the host. Unless --keep-addresses was given:
one stand-in each, the same in all files, for public IP addresses, MAC addresses (their maker's part stays) and this
host's name; no e-mail addresses. Names of peers, links and other hosts, and private addresses stay as they are.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    there = "the archive (default: alagg-support-TIME.tar.gz)"
    parser.add_argument("output", metavar="FILE", nargs="?", type=Path, help=there)
    parser.add_argument("--keep-addresses", action="store_true", help="leave addresses and names as they are")
    add_socket(parser)


def run(args: argparse.Namespace) -> int:
    """Gather, write, and say where it is."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    path = args.output or Path(f"alagg-support-{stamp}.tar.gz")
    redaction = Redaction(addresses=False) if args.keep_addresses else this_host()
    answers = gathering.everything(args.config, named_socket(args), gathering.run)
    try:
        _write(path, f"alagg-support-{stamp}", redaction, (("README.txt", _ABOUT), *answers))
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror}; allowed: a new file") from None
    print(f"{path}: look through it before you hand it on: tar -xzf {path}")
    return 0


def _write(path: Path, folder: str, redaction: Redaction, answers: Iterable[tuple[str, str]]) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in answers:
            content = redaction.text(text).encode(errors="replace")
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mtime, member.mode = len(content), int(time.time()), 0o600
            archive.addfile(member, io.BytesIO(content))
