"""`alagg reload`: has a running node read its configuration again, and waits until that is done or refused."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Final

from alagg import config
from alagg.cli.parser import add_socket, named_socket
from alagg.control.client import ControlError, request

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

_PATIENCE: Final = 30.0
"""Seconds for the node to change the host; a thousand destinations take some."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_socket(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, wait, and say what the node says; a refusal changes nothing, and ends with status 1."""
    path = named_socket(args)
    try:
        answer = request(path, "reload", timeout=_PATIENCE)
    except ControlError as error:
        if "unknown request" not in str(error):
            raise
        return _by_signal(path, args.config)
    for line in answer.get("warnings", ()):
        print(f"warning: {line}")
    print(f"reloaded: {answer.get('text', 'the configuration is in force')}")
    return 0


def _by_signal(path: Path, file: Path | None) -> int:
    """Ask a node that knows no such request as its version could be asked; a wrong file is told here, then.

    Raises:
        ConfigError: the file is wrong.
    """
    if file is not None:
        config.load(file)
    os.kill(request(path, "status")["pid"], signal.SIGHUP)
    print("asked by signal: this node is of an older version and answers in its log only")
    return 0
