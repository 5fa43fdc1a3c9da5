"""`alagg rules`: shows, installs or removes the firewall rules that catch packets, for `manage_host = no`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg import config
from alagg.cli.parser import add_config, needed_config
from alagg.system import rights, rules

if TYPE_CHECKING:
    import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.add_argument("action", choices=("show", "install", "remove"), help="what to do with the rules")
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    """Do it, and say how the rules are now."""
    settings = config.load(needed_config(args))
    rights.demand()
    if args.action == "install":
        rules.install(settings, None)
    elif args.action == "remove":
        rules.remove(settings)
    missing = rules.missing(settings)
    slower = rules.only_slower(settings, missing)
    # Each line puts its rule first: pasted from top to bottom, they end in the order in which the kernel needs them.
    for rule in reversed(rules.wanted_rules(settings)):
        print(f"{rule}  # {'missing' if rule in missing else 'installed'}")
    if slower:
        what = "TCP" if settings.workers == 1 else "it all"
        count = len(slower)
        print(f"# {count} of the missing rules only make {what} faster; its packets flow by the general rule, too")
    return 0
