"""`alagg link`: shows the running node's links, each with its state and figures, blocks and unblocks them."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any, Final

from alagg.cli.errors import CommandError
from alagg.cli.parser import add_socket, named_socket
from alagg.control.client import request

if TYPE_CHECKING:
    import argparse

_WORDS: Final = (("peer", "peer"), ("type", "type"), ("interface", "interface"), ("mac", "mac"), ("state", "state"))
"""What stands behind a link's name: the title, and the status' own name for it."""
_FIGURES: Final = (
    ("round trip", "rtt_ms", "{:.2f} ms"),
    ("varies by", "jitter_ms", "{:.2f} ms"),
    ("lost on the way in", "loss", "{:.3%}"),
    ("lost on the way out", "tx_loss", "{:.3%}"),
    ("rate", "rate_bps", "{:,} bit/s"),
    ("path MTU", "path_mtu", "{:,} bytes"),
    ("sent", "tx_bytes", "{:,} bytes"),
    ("received", "rx_bytes", "{:,} bytes"),
)
"""Title, the status' name, and form of what was measured."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    show = actions.add_parser("show", help="show links: peer, type, state, reason, figures", allow_abbrev=False)
    show.add_argument("name", metavar="NAME", nargs="?", help="only this link (default: all)")
    show.add_argument("--peer", metavar="P", help="only links to this peer")
    show.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    add_socket(show)
    show.set_defaults(action=_show)
    for verb, what in (("block", "let nothing leave on a link"), ("unblock", "use a link again that was blocked")):
        one = actions.add_parser(verb, help=f"{what}, on the running node", allow_abbrev=False)
        one.add_argument("name", metavar="NAME", help="the link")
        one.add_argument("--peer", metavar="P", help="the peer that it leads to")
        add_socket(one)
        one.set_defaults(action=_steer, verb=verb)


def run(args: argparse.Namespace) -> int:
    """Do what the line names."""
    status: int = args.action(args)
    return status


def _show(args: argparse.Namespace) -> int:
    links = _chosen(request(named_socket(args), "status").get("links", []), args.name, args.peer)
    if args.json:
        json.dump({"links": links}, sys.stdout, indent=2)
        print()
    else:
        print("\n\n".join(_text(link) for link in links))
    return 0


def _steer(args: argparse.Namespace) -> int:
    path = named_socket(args)
    asked = {"do": args.verb, "link": args.name, "peer": args.peer}
    answer = request(path, f"link {json.dumps(asked)}")
    print(answer["text"])
    others = [
        link for link in request(path, "status").get("links", [])
        if link["peer"] == answer["peer"] and link["name"] != args.name
    ]  # fmt: skip
    if args.verb == "block" and not any(link["state"] in ("up", "suspect") for link in others):
        print(f"warning: no other link to {answer['peer']} is up", file=sys.stderr)
    return 0


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
    lines = [f"  {title + ':':20} {text}{reason if title == 'state' else ''}" for title, text in (*words, *figures)]
    return "\n".join([f"link {link['name']}", *lines])
