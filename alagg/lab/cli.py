"""`alagg lab`: the lab on the command line."""

from __future__ import annotations

import argparse
import importlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table

from alagg.columns import fit
from alagg.lab import demo, faults, scenarios
from alagg.lab.namespace import LabError
from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.lab.record import Record
    from alagg.lab.scenarios import Step


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
    actions.add_parser("list", help="name the scenarios")
    scenario = actions.add_parser("run", help="run a scenario; status 1 if a goal is missed")
    scenario.add_argument("name", choices=scenarios.SCENARIOS, metavar="NAME", help="see alagg lab list")
    scenario.add_argument("--plot", type=Path, metavar="FILE.svg", help="draw what happened")
    scenario.add_argument("--trace", type=Path, metavar="FILE",
                          help="change the rate of eth0 as a file says: lines of SECONDS BITS_PER_SECOND")
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
    return demo.run(console)


def _list(_args: argparse.Namespace, console: Console) -> bool:
    shown = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, scenario in scenarios.SCENARIOS.items():
        shown.add_row(name, scenario.says)
    console.print(shown)
    return True


def _run(args: argparse.Namespace, console: Console) -> bool:
    draw = _drawing() if args.plot else None
    changes = _trace(args.trace) if args.trace else []
    console.print(f"{args.name}: {scenarios.SCENARIOS[args.name].says} ...", highlight=False)
    verdict = scenarios.run(args.name, changes)
    for shown in fit(scenarios.table(verdict), console):
        console.print(shown)
    if draw:
        draw(verdict.outcome.record, verdict.name, args.plot)
    return verdict.passed


def _drawing() -> Callable[[Record, str, Path], None]:
    """Have what draws before a scenario is run for nothing."""
    try:
        return importlib.import_module("alagg.lab.plot").draw  # type: ignore[no-any-return]
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise LabError("--plot needs matplotlib; install alagg[plot]") from None


def _trace(path: Path) -> list[Step]:
    try:
        return scenarios.rates_from(path.read_text(encoding="utf-8"), place=str(path))
    except (OSError, ValueError) as error:
        raise LabError(f"--trace: {error}") from None


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
    "demo": _demo, "up": _up, "list": _list, "run": _run, "fault": _fault, "faults": _faults,
}


def _from_one_to(most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        value = int(text) if text.isdecimal() else 0
        if not 1 <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {most}")
        return value

    return parse
