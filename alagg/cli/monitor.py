"""`alagg monitor`: a running node in the terminal, live: which link is bad and why, and what all of them carry."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from alagg.cli.errors import CommandError
from alagg.cli.parser import add_socket, named_socket
from alagg.control.client import request
from alagg.extras import needed

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_socket(parser)
    parser.add_argument("--ascii", action="store_true", help="draw with plain characters only")


def run(args: argparse.Namespace) -> int:
    """Show the node until `q` is pressed."""
    socket_path = named_socket(args)
    if not _is_terminal():
        raise CommandError("monitor needs a terminal; alagg status shows the same once")
    with needed("monitor"):
        from alagg.monitor.app import Monitor  # noqa: PLC0415 - an extra, and it takes its time
    from alagg.monitor.draw import ASCII_BARS, BARS  # noqa: PLC0415
    from alagg.monitor.feed import Feed  # noqa: PLC0415

    request(socket_path, "status")  # whoever has mistyped the path reads it here, and not on a screen of its own
    plain = args.ascii or "utf" not in (sys.stdout.encoding or "").lower()
    Monitor(Feed(socket_path), ASCII_BARS if plain else BARS).run()
    return 0


def _is_terminal() -> bool:
    return sys.stdin.isatty() and sys.stdout.isatty()
