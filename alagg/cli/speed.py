"""`alagg speed`: has the running node try how much each link to a peer carries, and all of them together."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from alagg import values
from alagg.cli.parser import add_socket, named_socket
from alagg.cli.trying import bar, number, rounded, table
from alagg.control.client import lines
from alagg.trials import MAX_RATE, MAX_SECONDS, MIN_RATE, PATIENCE, SETTLE

if TYPE_CHECKING:
    from collections.abc import Iterator


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    parser.epilog = (
        "The node sends frames that nobody needs, at --rate on each link for --seconds, then on all links at the same"
        " time; the peer says how many have come. Where a link carries less than that, its other traffic suffers for"
        " as long, and the link may be taken for silent. What it costs is said at the begin."
    )
    parser.add_argument("peer", metavar="PEER", nargs="?", default="", help="left out: the only one")
    parser.add_argument("--link", metavar="NAME", help="only this link")
    parser.add_argument("--seconds", metavar="S", type=number(0.5, MAX_SECONDS), default=3.0,
                        help="for each link, and for all together (default %(default)g)")  # fmt: skip
    parser.add_argument("--rate", metavar="RATE", type=_rate, default=100_000_000,
                        help="to try, on each link, such as 20mbit (default 100mbit)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print one JSON object, for programs")
    add_socket(parser)


def run(args: argparse.Namespace) -> int:
    """Try, and show what came of it."""
    asked = {"peer": args.peer, "link": args.link, "seconds": args.seconds, "rate": args.rate}
    most = args.rate * args.seconds / 8e6
    print(f"This sends up to {most:,.1f} MB on each link{'' if args.link else ', and once more on all together'}.",
          file=sys.stderr)  # fmt: skip
    said = lines(named_socket(args), f"speed {json.dumps(asked)}", timeout=args.seconds + SETTLE + 2 * PATIENCE)
    done = _follow(said)
    if args.json:
        json.dump(done, sys.stdout, indent=2)
        print()
    else:
        _show(done)
    return 0 if any(link["arrived_bps"] for link in done["links"]) else 1


def _follow(said: Iterator[dict[str, Any]]) -> dict[str, Any]:
    with bar(1.0, "trying") as tell:
        for line in said:
            if line.pop("done", False):
                return line
            tell(line["share"], ", ".join(line["phase"]))
    raise ConnectionResetError("the node has ended")


def _show(done: dict[str, Any]) -> None:
    rows = [[link["link"], *_figures(link)] for link in done["links"]]
    if (bond := done["bond"]) is not None:
        rows += [[f"{link['link']}, all at once", *_figures(link)] for link in bond["links"]]
        cost = rounded(bond["bytes"] / 1e6, 1)
        rows.append([f"the bond ({done['scheduler']})", "", _mbit(bond["arrived_bps"]), "", cost, ""])
    print(f"speed to {done['peer']}")
    table(["link", "tried Mbit/s", "arrived Mbit/s", "lost", "cost MB", ""], rows)


def _figures(one: dict[str, Any]) -> list[str]:
    lost = "-" if one["loss"] is None else f"{one['loss']:.1%}"
    cost = rounded(one["bytes"] / 1e6, 1)
    return [_mbit(one["sent_bps"]), _mbit(one["arrived_bps"]), lost, cost, one.get("reason", "")]


def _mbit(rate: float | None) -> str:
    return rounded(None if rate is None else rate / 1e6, 1)


def _rate(text: str) -> int:
    try:
        rate = values.rate(text)
    except values.RefusedError as error:
        raise argparse.ArgumentTypeError(f"{text}: allowed: {error}") from None
    if rate is None or not MIN_RATE <= rate <= MAX_RATE:
        raise argparse.ArgumentTypeError(f"{text or 'nothing'}: allowed: 10kbit to 10gbit")
    return rate
