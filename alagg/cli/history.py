"""`alagg history`: what happened while nobody looked: how each link was, what went wrong when, how long, and why."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from alagg import config
from alagg.cli.errors import CommandError
from alagg.cli.parser import add_config
from alagg.history import Store, times
from alagg.history.store import MAX_POINTS, HistoryError
from alagg.historyconfig import DEFAULT_FILE

_POINTS: Final = 200
"""Samples of each link that the table is made of, about."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_config(parser)
    parser.add_argument(
        "--since", metavar="TIME", type=_moment, default="yesterday",
        help=f"{times.ALLOWED} (default: yesterday)",
    )  # fmt: skip
    parser.add_argument("--until", metavar="TIME", type=_moment, default="now", help="as --since (default: now)")
    parser.add_argument("--json", action="store_true", help="print one JSON object with all samples, for programs")


def run(args: argparse.Namespace) -> int:
    """Read the history and print it."""
    since, until = args.since.timestamp(), args.until.timestamp()
    if since >= until:
        raise CommandError("--since: is not before --until")
    found = _found(args, since, until)
    if args.json:
        json.dump(found, sys.stdout, indent=2)
        print()
        return 0
    from alagg.history import report  # noqa: PLC0415 - rich takes its time, and programs need none of it

    print("\n".join(report.lines(found)))
    return 0


def _found(args: argparse.Namespace, since: float, until: float) -> dict[str, Any]:
    path = Path(DEFAULT_FILE) if args.config is None else config.load(args.config).history.file
    points = MAX_POINTS if args.json else _POINTS
    try:
        return Store(path).query(since, until, int((until - since) / points))
    except HistoryError as error:
        raise CommandError(str(error)) from None


def _moment(text: str) -> datetime:
    try:
        return times.moment(text, datetime.now(timezone.utc).astimezone())
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
