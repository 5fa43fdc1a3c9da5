"""`alagg ping`: has the running node ask a peer for answers on each link, and shows the round trips."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from alagg.cli.parser import add_socket, named_socket
from alagg.cli.trying import bar, number, rounded, table
from alagg.control.client import lines
from alagg.trials import MAX_COUNT, MAX_INTERVAL, MAX_SIZE, MIN_INTERVAL, PATIENCE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = (
        "The node sends probes of its own, few and small, beside the traffic. The last line of the answer, the bond,"
        " is what a packet meets that goes on all links: the first answer counts. Exit status 1 for no answer at all."
    )
    parser.add_argument("peer", metavar="PEER", nargs="?", default="", help="left out: the only one")
    parser.add_argument("--link", metavar="NAME", help="only this link")
    parser.add_argument("--count", metavar="N", type=number(1, MAX_COUNT, int), default=5,
                        help="how many on each link (default %(default)s)")  # fmt: skip
    parser.add_argument("--interval", metavar="SECONDS", type=number(MIN_INTERVAL, MAX_INTERVAL), default=0.2,
                        help="between two of them (default %(default)s)")  # fmt: skip
    parser.add_argument("--size", metavar="BYTES", type=number(0, MAX_SIZE, int), default=0,
                        help="of a frame, at most what the link carries (default: the smallest)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    add_socket(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, and show what comes."""
    asked = {"peer": args.peer, "link": args.link, "count": args.count, "interval": args.interval, "size": args.size}
    said = lines(named_socket(args), f"ping {json.dumps(asked)}", timeout=args.interval + 2 * PATIENCE)
    done = _follow(said, args)
    if args.json:
        json.dump(done, sys.stdout, indent=2)
        print()
    else:
        _show(done)
    return 0 if any(link["received"] for link in done["links"]) else 1


def _follow(said: Iterator[dict[str, Any]], args: argparse.Namespace) -> dict[str, Any]:
    with bar(args.count, "pinging") as tell:
        for line in said:
            if line.pop("done", False):
                return line
            tell(line["round"], line["link"])
    raise ConnectionResetError("the node has ended")


def _show(done: dict[str, Any]) -> None:
    rows = [[link["link"], *_figures(link)] for link in done["links"]]
    if done["bond"] is not None:
        rows.append(["the bond", *_figures(done["bond"])])
    print(f"ping to {done['peer']}")
    table(["link", "sent", "answered", "lost", "least ms", "mean ms", "most ms", ""], rows)


def _figures(tally: dict[str, Any]) -> list[str]:
    trips = [rounded(tally[key], 3) for key in ("min_ms", "avg_ms", "max_ms")]
    lost = f"{tally['loss']:.1%}"
    return [str(tally["sent"]), str(tally["received"]), lost, *trips, tally.get("reason", "")]
