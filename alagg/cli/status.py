"""`alagg status`: shows a running node: which link is bad and why, and what became of the packets."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any, Final

from alagg.cli.parser import add_socket, named_socket
from alagg.control.client import request

if TYPE_CHECKING:
    import argparse

_INTERVAL: Final = 0.5
"""Seconds between the two looks that the rates are taken from."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_socket(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    form.add_argument("--metrics", action="store_true", help="print it as Prometheus reads it")


def run(args: argparse.Namespace) -> int:
    """Ask the node, and print its answer."""
    socket_path = named_socket(args)
    status = request(socket_path, "status")
    if args.json:
        json.dump(status, sys.stdout, indent=2)
        print()
        return 0
    if args.metrics:
        from alagg.metrics import exposition  # noqa: PLC0415 - an extra

        print(exposition(status)[0].decode(), end="")
        return 0

    from alagg.cli import view  # noqa: PLC0415 - rich takes its time, and programs that read JSON need none of it

    before, start = status, time.monotonic()
    time.sleep(_INTERVAL)
    status = request(socket_path, "status")
    view.show(status, _rates(before, status, time.monotonic() - start))
    return 0


def _rates(before: dict[str, Any], after: dict[str, Any], seconds: float) -> dict[str, tuple[float, float]]:
    """Give each link's bits per second out and in; zero for a link that has just appeared."""
    old = {link["name"]: link for link in before.get("links", ())}
    return {
        link["name"]: (
            _rate("tx_bytes", old.get(link["name"], link), link, seconds),
            _rate("rx_bytes", old.get(link["name"], link), link, seconds),
        )
        for link in after.get("links", ())
    }


def _rate(key: str, before: dict[str, Any], after: dict[str, Any], seconds: float) -> float:
    # A node that started anew in between counts from zero.
    return 8 * max(0, int(after.get(key, 0)) - int(before.get(key, 0))) / seconds
