"""`alagg --config FILE`: runs the node in the foreground."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from alagg import config, node
from alagg.cli.errors import CommandError
from alagg.cli.parser import needed_config
from alagg.control import logs
from alagg.system import rights

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def run(args: argparse.Namespace) -> int:
    """Run the node until a signal ends it; give the exit status."""
    settings = config.load(needed_config(args))
    rights.demand()
    if args.pcap is not None:
        _refuse_what_cannot_be_written(args.pcap)
    if args.debug:
        settings = dataclasses.replace(settings, log_level="debug")
    logs.set_up(settings.log_level, settings.log_format)
    try:
        return node.run(settings, args.pcap)
    finally:
        logs.flush()  # what the log says stands above the line that says why the node ended


def _refuse_what_cannot_be_written(pcap: Path) -> None:
    """Look at the capture file's place now: the workers open it, beside all else that may fail.

    Raises:
        CommandError: nothing can be written there.
    """
    if pcap.is_dir():
        raise CommandError(f"--pcap {pcap}: is a directory; give it a file's name")
    if not pcap.parent.is_dir():
        raise CommandError(f"--pcap {pcap}: there is no directory {pcap.parent}")
