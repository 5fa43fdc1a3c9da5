"""`alagg web`: a dashboard and an API for browsers and programs, in a process of its own without rights."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from alagg import config
from alagg.cli.parser import add_socket, named_socket
from alagg.control import logs
from alagg.extras import needed
from alagg.historyconfig import DEFAULT_FILE
from alagg.webconfig import WebConfig

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_socket(parser)


def run(args: argparse.Namespace) -> int:
    """Serve until a signal ends it."""
    with needed("web"):
        server = importlib.import_module("alagg.web.server")
    if args.config is None:
        level, form, web, file = "info", "text", WebConfig(), Path("without a file")
        history = Path(DEFAULT_FILE)
    else:
        settings = config.load(args.config)
        level, form, web, file = settings.log_level, settings.log_format, settings.web, settings.path
        history = settings.history.file
    logs.set_up("debug" if args.debug else level, form)
    try:
        status: int = server.run(web, file, named_socket(args), history)
    finally:
        logs.flush()  # what the log says stands above the line that says why it ended
    return status
