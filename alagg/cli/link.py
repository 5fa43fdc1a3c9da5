"""`alagg link`: shows the running node's links, blocks them, adds, sets and removes them, and saves that."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from alagg import saving
from alagg.cli.errors import CommandError
from alagg.cli.parser import add_socket, named_socket
from alagg.config import ConfigError
from alagg.control.client import NodeRefusesError, request
from alagg.reach import CARRIES

_VERBS: Final = {
    "block": "let nothing leave on a link",
    "unblock": "use a link again that was blocked",
    "add": "add a link",
    "set": "set options of a link",
    "remove": "take a link away",
}
"""What is done to links, besides showing them."""
_WORDS: Final = (("peer", "peer"), ("type", "type"), ("interface", "interface"), ("mac", "mac"), ("state", "state"))
"""What stands behind a link's name: the title, and the status' own name for it."""
_FIGURES: Final = (
    ("round trip", "rtt_ms", "{:.2f} ms"),
    ("varies by", "jitter_ms", "{:.2f} ms"),
    ("lost on the way in", "loss", "{:.3%}"),
    ("lost on the way out", "tx_loss", "{:.3%}"),
    ("rate", "rate_bps", "{:,} bit/s"),
    ("cap", "cap_bytes", "{:,} bytes"),
    ("used of it", "cap_used_bytes", "{:,} bytes"),
    ("begins anew on", "cap_until", "{}"),
    ("path MTU", "path_mtu", "{:,} bytes"),
    ("sent", "tx_bytes", "{:,} bytes"),
    ("received", "rx_bytes", "{:,} bytes"),
)
"""Title, the status' name, and form of what was measured."""


_TAKE_TIME: Final = 30.0
"""Seconds for the node to change the host."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="show links: peer, type, state, reason, figures", allow_abbrev=False)
    show.add_argument("name", metavar="NAME", nargs="?", help="only this link (default: all)")
    show.add_argument("--peer", metavar="P", help="only links to this peer")
    show.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    add_socket(show)
    show.set_defaults(action=_show)
    for verb, what in _VERBS.items():
        one = actions.add_parser(verb, help=what, description=f"On the running node: {what}.", allow_abbrev=False)
        one.add_argument("name", metavar="NAME", help="the link")
        if verb in ("add", "set"):
            one.add_argument("keys", metavar="KEY=VALUE", nargs="*", type=_pair, help="an option of [link NAME]")
        one.add_argument("--peer", metavar="P", help="the peer that it leads to")
        if verb in ("add", "set", "remove"):
            one.add_argument("--save", action="store_true", help="write it into the node's file, too")
        add_socket(one)
        one.set_defaults(action=_steer, verb=verb, **({} if verb in ("add", "set") else {"keys": []}))


def run(args: argparse.Namespace) -> int:
    """Do what the line names."""
    status: int = args.action(args)
    return status


def _pair(text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not mark or not key.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is not understood; allowed: KEY=VALUE, such as rate=20mbit")
    return key.strip(), value.strip()


def _show(args: argparse.Namespace) -> int:
    path = named_socket(args)
    links = request(path, "status").get("links", [])
    differing = request(path, 'link {"do": "show"}')
    found = {one["link"]: one["text"] for one in differing["differences"]}
    chosen = [{**link, "differs": found.get(link["name"], "")} for link in _chosen(links, args.name, args.peer)]
    gone = [one["link"] for one in differing["differences"] if one["what"] == "removed"]
    if args.json:
        json.dump({"links": chosen, "removed": gone}, sys.stdout, indent=2)
        print()
        return 0
    print("\n\n".join(_text(link) for link in chosen))
    if gone and args.name is None:
        print(f"\nremoved while the node runs, and still in {differing['file']}: {', '.join(gone)}")
    return 0


def _steer(args: argparse.Namespace) -> int:
    path = named_socket(args)
    if args.verb == "set" and not args.keys and not args.save:
        raise ConfigError("nothing is set; allowed: KEY=VALUE, such as rate=20mbit, or --save")
    asked = {"do": args.verb, "link": args.name, "peer": args.peer, "values": dict(args.keys)}
    try:
        answer = request(path, f"link {json.dumps(asked)}", timeout=_TAKE_TIME)
    except NodeRefusesError as error:
        if error.kind == "config":
            raise ConfigError(str(error)) from None
        raise
    print(answer["text"])
    for line in answer.get("warnings", ()):
        print(f"warning: {line}", file=sys.stderr)
    if args.verb in ("block", "unblock"):
        _warn_of_the_last(path, args, answer["peer"])
    elif args.save:
        _save(Path(answer["file"]), args.name, answer["section"])
    else:
        print(f"{answer['file']} stays as it is, and a reload returns to it; --save writes this there")
    return 0


def _warn_of_the_last(path: Path, args: argparse.Namespace, peer: str) -> None:
    links = request(path, "status").get("links", [])
    others = [link for link in links if link["peer"] == peer and link["name"] != args.name]
    if args.verb == "block" and not any(link["state"] in (*CARRIES, "suspect") for link in others):
        print(f"warning: no other link to {peer} is up", file=sys.stderr)


def _save(file: Path, name: str, section: dict[str, str] | None) -> None:
    """Write a link into the node's file.

    Raises:
        CommandError: it cannot be; the running node goes by it all the same.
    """
    try:
        saving.save(file, name, section)
    except (ConfigError, OSError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error).removeprefix(f"{file}: ")
        raise CommandError(f"{file}: not saved, though the running node goes by it: {why}") from None
    print(f"saved: {file}")


def _chosen(links: list[dict[str, Any]], name: str | None, peer: str | None) -> list[dict[str, Any]]:
    """Give the links that the line names.

    Raises:
        CommandError: there is none such.
    """
    found = [link for link in links if name in {None, link["name"]} and peer in {None, link["peer"]}]
    if not found:
        if not links:
            raise CommandError("the node has no link")
        peers = ", ".join(sorted({link["peer"] for link in links}))
        if peer is not None and not any(link["peer"] == peer for link in links):
            raise CommandError(f"no peer {peer}; there are: {peers}")
        near = ", ".join(link["name"] for link in links if peer in {None, link["peer"]})
        raise CommandError(f"no link {name}{f' to peer {peer}' if peer else ''}; there are: {near}")
    return found


def _text(link: dict[str, Any]) -> str:
    reason = f" ({link['reason']})" if link.get("reason") else ""
    words = [(title, str(link[key])) for title, key in _WORDS if link.get(key)]
    figures = [(title, form.format(link[key])) for title, key, form in _FIGURES if link.get(key) is not None]
    if link.get("differs"):
        words.append(("differs from file", link["differs"]))
    lines = [f"  {title + ':':20} {text}{reason if title == 'state' else ''}" for title, text in (*words, *figures)]
    return "\n".join([f"link {link['name']}", *lines])
