"""`alagg cleanup`: undoes what a crashed run left on this host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg import config
from alagg.cli.errors import CommandError
from alagg.cli.parser import add_config, needed_config
from alagg.control.socket import remove_stale
from alagg.system.journal import Journal

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Undo, and say what was undone."""
    settings = config.load(needed_config(args))
    journal = Journal(settings.journal)
    lines = journal.undo()
    if remove_stale(settings.control_socket):
        lines.append(f"removed socket: {settings.control_socket}")
    for line in lines or ["nothing to undo"]:
        print(line)
    if journal.failures:
        raise CommandError(f"{len(journal.failures)} not undone; {journal.path} keeps all for another try")
    return 0
