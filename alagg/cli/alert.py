"""`alagg alert test`: sends a test to everybody whom the configuration names, and says whether that worked."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

from alagg import config
from alagg.alerts.conditions import INFO, Alert
from alagg.alerts.grouping import Message
from alagg.alerts.receivers import DeliveryError, named
from alagg.cli.errors import CommandError
from alagg.cli.parser import add_config, needed_config
from alagg.control import logs

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    test = actions.add_parser("test", help="send a test to all that [alerts] names", allow_abbrev=False)
    add_config(test)


def run(args: argparse.Namespace) -> int:
    """Tell each of them, and say what came of it."""
    settings = config.load(needed_config(args))
    known = named(settings.alerts)
    if not known:
        raise CommandError(f"{settings.path}: [alerts] names nobody: log, command, webhook, email")
    logs.set_up("info", settings.log_format)
    alert = Alert("test", "", INFO, "this is a test; nothing is wrong")
    message = Message(socket.gethostname(), time.time(), (), (), (alert,), ())
    failed = 0
    for receiver in known:
        try:
            receiver.deliver(message)
        except DeliveryError as error:
            failed += 1
            print(f"fail  {receiver.name}: {error}")
        else:
            print(f"ok    {receiver.name}")
    return 1 if failed else 0
