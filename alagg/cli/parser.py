"""The grammar of the command line."""

from __future__ import annotations

import argparse
import importlib
import re
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import alagg
from alagg import config
from alagg.config import DEFAULT_SOCKET

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Subparsers: TypeAlias = "argparse._SubParsersAction[Any]"  # noqa: SLF001 - argparse has no public name

_COMMANDS: Final = {
    "init": "write the first configuration of this host and of the other one, which it finds on the links",
    "check": "validate the configuration, examine the host, and say how to mend what is wrong",
    "doctor": "the same as check",
    "status": "show the running node: peers, links, counters",
    "ping": "ask a peer for answers on each of its links: round trips, losses; beside the traffic",
    "speed": "try how much each link to a peer carries, and all together; it takes their capacity meanwhile",
    "link": "show the running node's links; block, unblock, add, set, remove them",
    "monitor": "watch the running node in this terminal: links, rates, events, live",
    "reload": "have the running node read its configuration again, and wait for its answer",
    "history": "say what happened lately: how links were, what went wrong when, how long, and why",
    "alert": "try whether those who are to be told of faults can be told",
    "key": "make keys and certificates, show their fingerprints, revoke them",
    "rules": "show, install or remove the firewall rules that catch packets",
    "cleanup": "undo what a crashed run left on this host",
    "files": "say where the systemd unit, the default configuration and the dissectors are",
    "support": "write one archive for whoever is asked for help, without secrets",
    "web": "serve a dashboard and an API for the running node, without its rights",
    "tunnel": "have a TCP port of another host appear here, over many links, without root",
    "lab": "hosts, links and faults on this one machine",
}


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line."""

    def error(self, message: str) -> NoReturn:
        """Complain in one line and end with status 2."""
        self.exit(2, f"alagg: {' '.join(message.split())}{_guess(message)}; see {self.prog} --help\n")


def _guess(message: str) -> str:
    """Give what a word that is none of those to choose from may have meant; nothing where that is not plain."""
    found = re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message)
    close = get_close_matches(found[1], re.findall(r"[\w-]+", found[2]), n=1) if found else []
    return "".join(f"; did you mean {one}?" for one in close)


def build(arguments: Sequence[str]) -> argparse.ArgumentParser:
    """Build the parser for a command line; commands that it does not name stay unloaded."""
    parser = Parser(
        prog="alagg",
        description="Join hosts over several network links at once. Without a command: run the node.",
        epilog="Exit status: 0 success, 2 wrong command line or configuration, 1 anything else.",
        allow_abbrev=False,
    )
    parser.set_defaults(run=_run_node)
    parser.add_argument("--version", action="version", version=f"alagg {alagg.__version__}")
    parser.add_argument("--config", metavar="FILE", type=Path, help="the configuration")
    parser.add_argument("--pcap", metavar="FILE", type=Path, help="write all links' frames to this capture file")
    _add_debug(parser, default=False)
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, purpose in _COMMANDS.items():
        if name not in arguments:
            subparsers.add_parser(name, help=purpose)
        elif name == "lab":
            _add_lab(subparsers)
        else:
            _add_command(subparsers, name, purpose)
    return parser


def add_config(parser: argparse.ArgumentParser) -> None:
    """Add `--config`; it may stand before the command as well as after it."""
    parser.add_argument("--config", metavar="FILE", type=Path, default=argparse.SUPPRESS, help="the configuration")


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Add `--config` and `--socket`, the two ways to say which node is meant."""
    add_config(parser)
    parser.add_argument("--socket", metavar="PATH", type=Path, help=f"the node's socket (default {DEFAULT_SOCKET})")


def named_socket(args: argparse.Namespace) -> Path:
    """Give the socket that the line names: by `--socket`, by a file (which may be wrong everywhere else), or none.

    Raises:
        ConfigError: the file cannot be read.
    """
    if args.socket is not None:
        path: Path = args.socket
        return path
    return DEFAULT_SOCKET if args.config is None else config.socket_in(args.config)


def needed_config(args: argparse.Namespace) -> Path:
    """Give `--config`, or end with status 2 where the line has none."""
    if args.config is None:
        Parser(prog="alagg").error("--config FILE is needed")
    path: Path = args.config
    return path


def _add_debug(parser: argparse.ArgumentParser, default: object) -> None:
    parser.add_argument(
        "--debug", action="store_true", default=default, help="log everything; show where unexpected errors arise"
    )


def _add_command(subparsers: Subparsers, name: str, purpose: str) -> None:
    module = importlib.import_module(f"alagg.cli.{name}")
    sentence = f"{purpose[0].upper()}{purpose[1:]}."
    parser = subparsers.add_parser(name, help=purpose, description=sentence, allow_abbrev=False)
    _add_debug(parser, default=argparse.SUPPRESS)
    module.add_arguments(parser)
    parser.set_defaults(run=module.run)


def _add_lab(subparsers: Subparsers) -> None:
    lab = importlib.import_module("alagg.lab.cli")
    lab.add_arguments(subparsers)
    subparsers.choices["lab"].set_defaults(run=lab.run)


def _run_node(args: argparse.Namespace) -> int:
    needed_config(args)
    status: int = importlib.import_module("alagg.cli.run").run(args)
    return status
