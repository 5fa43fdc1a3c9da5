"""`alagg lab`: the lab on the command line."""

from __future__ import annotations

import argparse
import signal
import sys
from typing import TYPE_CHECKING, Final

from rich.console import Console

from alagg.columns import fit
from alagg.lab import faults, scenarios
from alagg.lab.namespace import LabError
from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Callable


# argparse has no public name for it, and when pdoc looks it up it cannot be subscripted.
def add_arguments(subparsers: argparse._SubParsersAction) -> None:  # type: ignore[type-arg]
    """Add `lab` and what it can do to the command line."""
    purpose = "hosts, links and faults on this one machine"
    lab = subparsers.add_parser("lab", help=purpose, description=f"{purpose.capitalize()}. Needs root.")
    actions = lab.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    actions.add_parser("demo", help="pull a cable, without alagg and with it; status 1 if alagg lost anything")
    up = actions.add_parser("up", help="build hosts and links, start alagg, and leave them to you until Ctrl-C")
    up.add_argument("--links", type=_from_one_to(16), default=2, metavar="N", help="how many links (default 2)")
    up.add_argument("--emulated", action="store_true", help="pass the links through the link emulator")
    up.add_argument("--lans", action="store_true", help="make the hosts gateways with a LAN behind each")
    up.add_argument("--without", action="store_true", help="do not start alagg")
    fault = actions.add_parser("fault", help="run one fault: pings while one of two links misbehaves")
    fault.add_argument("name", choices=faults.FAULTS, metavar="NAME", help=", ".join(faults.FAULTS))
    matrix = actions.add_parser("faults", help="run all faults; status 1 if alagg lost or repeated anything")
    for parser in (fault, matrix):
        parser.add_argument("--count", type=_from_one_to(100_000), default=faults.COUNT, metavar="N",
                            help=f"pings in each run, 10 ms apart (default {faults.COUNT})")


def run(args: argparse.Namespace) -> int:
    """Run what the command line names; 0 if all went as it should, 1 if not."""
    try:
        return 0 if _ACTIONS[args.action](args, Console()) else 1
    except LabError as error:
        print(f"alagg: {error}", file=sys.stderr)
        return 1


def _demo(_args: argparse.Namespace, console: Console) -> bool:
    return scenarios.demo(console)


def _fault(args: argparse.Namespace, console: Console) -> bool:
    return _matrix([args.name], args, console)


def _faults(args: argparse.Namespace, console: Console) -> bool:
    return _matrix(list(faults.FAULTS), args, console)


def _matrix(names: list[str], args: argparse.Namespace, console: Console) -> bool:
    outcomes = []
    for name in names:
        console.print(f"{name}: {faults.FAULTS[name].says} ...", highlight=False)
        outcomes.append(faults.run(name, count=args.count))
    for table in fit(faults.table(outcomes), console):
        console.print(table)
    return all(outcome.passed for outcome in outcomes)


def _up(args: argparse.Namespace, console: Console) -> bool:
    with Lab(links=args.links, emulated=args.emulated, lans=args.lans) as lab:
        if not args.without:
            lab.start_nodes()
        console.print(_guide(lab, lans=args.lans, nodes=not args.without), highlight=False, soft_wrap=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            console.print("removing it all")
    return True


def _guide(lab: Lab, *, lans: bool, nodes: bool) -> str:
    lines = [f"{len(lab.wire)} links join the hosts; Ctrl-C removes it all. In another terminal, as root:"]
    hosts = (*lab.hosts, *((lab.lan_a, lab.lan_b) if lans else ()))
    lines += [f"  ip netns exec {host.name} bash    # {host.ipv4}, {host.ipv6}" for host in hosts]
    lines += [
        f"  ip netns exec {lab.a.name} ping {lab.b.ipv4}",
        f"  ip -n {lab.middle.name} link set a0 down    # pulls the cable of eth0 at host a; up plugs it in",
    ]
    if nodes:
        lines += [f"  alagg status --config {host.node.config}    # log: {host.node.log}" for host in lab.hosts]
    return "\n".join(lines)


_ACTIONS: Final[dict[str, Callable[[argparse.Namespace, Console], bool]]] = {
    "demo": _demo, "up": _up, "fault": _fault, "faults": _faults,
}


def _from_one_to(most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text) if text.isdecimal() else 0
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {most}")
        return value

    return parse
