"""`alagg cleanup`: undoes what a crashed run left on this host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.cli.errors import CommandError
from alagg.cli.parser import add_socket, named_socket, needed_config
from alagg.config import journal_of
from alagg.control.socket import remove_stale
from alagg.system import rights
from alagg.system.journal import Journal

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_socket(parser)


def run(args: argparse.Namespace) -> int:
    """Undo, and say what was undone."""
    if args.socket is None:
        needed_config(args)
    path = named_socket(args)
    rights.demand()
    journal = Journal(journal_of(path))
    lines = journal.undo()
    if remove_stale(path):
        lines.append(f"removed socket: {path}")
    for line in lines or ["nothing to undo"]:
        print(line)
    if journal.failures:
        raise CommandError(f"{len(journal.failures)} not undone; {journal.path} keeps all for another try")
    return 0
