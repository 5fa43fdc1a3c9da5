"""`alagg --config FILE`: runs the node in the foreground."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from alagg import config, node
from alagg.cli.parser import needed_config
from alagg.control import logs

if TYPE_CHECKING:
    import argparse


def run(args: argparse.Namespace) -> int:
    """Run the node until a signal ends it; give the exit status."""
    settings = config.load(needed_config(args))
    if args.debug:
        settings = dataclasses.replace(settings, log_level="debug")
    logs.set_up(settings.log_level, settings.log_format)
    try:
        return node.run(settings, args.pcap)
    finally:
        logs.flush()  # what the log says stands above the line that says why the node ended
