"""`alagg init`: asks a few questions, finds the other host on the links, writes both configurations, and checks."""

from __future__ import annotations

import argparse
import ipaddress
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from alagg import config, values
from alagg.cli import check
from alagg.cli.errors import CommandError
from alagg.cli.parser import add_config
from alagg.cli.trying import bar, number
from alagg.setup import files
from alagg.setup.files import Side
from alagg.setup.meeting import Found, Pair, meet
from alagg.system import netlink, rights

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from alagg.system.netlink import Interface
    from alagg.values import Address

T = TypeVar("T")

DEFAULT_CONFIG: Final = Path("/etc/alagg/alagg.cfg")
"""What is written where the line names no file; the unit `alagg@alagg` runs it."""
ETHERTYPE: Final = 0x88B5
WAIT: Final = 60.0
"""Seconds for which the other host is looked for."""


@dataclass
class Plan:
    """What is known before anything is written."""

    host: str
    addresses: list[str]
    """Those of this host to which the other one sends."""
    peer: str
    destinations: list[str]
    """The other one's."""
    pairs: list[Pair]
    """Ethernet links that were found, or wanted; those without a MAC address find it by themselves."""
    remote: str = ""
    """Where a UDP link goes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's arguments."""
    add_config(parser)
    parser.epilog = (
        "Run it on both hosts at about the same time: they find each other, and each writes its own file. It writes"
        " the other one's file, too, to be copied there where it ran on one host alone. What the line does not say is"
        f" asked; without a terminal, or with --yes, what is found is taken. The file is {DEFAULT_CONFIG} by default."
    )
    parser.add_argument("--peer-config", metavar="FILE", type=Path, help="where the other host's file goes")
    parser.add_argument("--force", action="store_true", help="replace files that are there")
    parser.add_argument("--yes", action="store_true", help="ask nothing")
    parser.add_argument("--name", type=_name, help="this host's name (default: its host name)")
    parser.add_argument("--peer", metavar="NAME", type=_name, help="the other host's name; of several, the one meant")
    parser.add_argument("--interface", metavar="NAME", action="append", help="a link's interface; several times")
    parser.add_argument("--address", metavar="IP", action="append", type=_address, help="one of this host")
    parser.add_argument("--destination", metavar="IP", action="append", type=_network, help="one of the other host")
    parser.add_argument("--remote", metavar="HOST:PORT", type=_remote, help="add a UDP link that goes there")
    parser.add_argument("--socket", metavar="PATH", type=Path, help="where both nodes' control sockets will be")
    parser.add_argument("--wait", metavar="SECONDS", type=number(0, 3600), default=WAIT,
                        help="how long to look for the other host (default %(default)g; 0: not at all)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Ask, find, write, check; the exit status is that of `alagg check`."""
    path: Path = args.config or DEFAULT_CONFIG
    _refuse_to_replace(args.force, path, args.peer_config)
    rights.demand()
    plan = _plan(args, _Questions(silent=args.yes or not sys.stdin.isatty()))
    beside = args.peer_config or path.with_name(f"{path.stem}-for-{plan.peer}.cfg")
    _refuse_to_replace(args.force, beside)
    node = {"control_socket": str(args.socket)} if args.socket else {}
    for where, side in ((path, here(plan, node)), (beside, there(plan, node))):
        files.write(where, files.text(side), replace=args.force)
    print(f"written: {path}, for this host")
    print(f"written: {beside}, for {plan.peer}: copy it there, unless alagg init has run there, too")
    print("Both hosts have to run it. Until the other one does, they do not reach each other at these addresses.")
    return check.report(config.load(path))


def here(plan: Plan, node: dict[str, str]) -> Side:
    """Give what this host's file says."""
    links = {pair.interface: _ethernet(pair.interface, pair.mac) for pair in plan.pairs}
    if plan.remote:
        links["udp"] = {"type": "udp", "remote": plan.remote}
    return Side(plan.host, plan.peer, plan.destinations, links, node)


def there(plan: Plan, node: dict[str, str]) -> Side:
    """Give what the other host's file says, as far as that is known."""
    links = {pair.far_interface or pair.interface: _ethernet(pair.far_interface or pair.interface, pair.own)
             for pair in plan.pairs}  # fmt: skip
    remarks = {pair.interface: f"the name of the interface over there that leads to {plan.host}'s {pair.interface}"
               for pair in plan.pairs if not pair.far_interface}  # fmt: skip
    if plan.remote:
        any_address = "[::]" if plan.remote.startswith("[") else "0.0.0.0"  # noqa: S104 - the peer may come from anywhere
        links["udp"] = {"type": "udp", "local": f"{any_address}:{plan.remote.rpartition(':')[2]}"}
    return Side(plan.peer, plan.host, plan.addresses, links, node, remarks=remarks)


def _ethernet(interface: str, mac: bytes) -> dict[str, str]:
    return {"interface": interface, "mac": mac.hex(":") or "auto"}


def _plan(args: argparse.Namespace, questions: _Questions) -> Plan:
    present = [one for one in netlink.interfaces() if _can_be_link(one)]
    chosen = _interfaces(args, questions, present)
    addresses = _addresses(args, questions, chosen)
    host = args.name or _own_name()
    found = _find(args, questions, chosen, host, addresses)
    wanted = set(args.interface or ())
    pairs = found.pairs() if found else [Pair(one.name, one.mac, b"", "") for one in chosen]
    missing = [one for one in chosen if one.name in wanted and one.name not in {pair.interface for pair in pairs}]
    pairs += [Pair(one.name, one.mac, b"", "") for one in missing]
    heard = [str(address) for address in found.addresses] if found else []
    destinations = args.destination or heard or questions.ask(
        "The other host's addresses, separated by commas", "", "--destination IP", _network
    )  # fmt: skip
    heard_name = f"{host}-peer" if found and found.host == host else found.host if found else ""
    peer = args.peer or heard_name or questions.ask("A name for it", "peer", "--peer NAME", _name)[0]
    return Plan(host, [str(one) for one in addresses], peer, list(destinations), pairs, args.remote or "")


def _interfaces(args: argparse.Namespace, questions: _Questions, present: Sequence[Interface]) -> list[Interface]:
    """Give the interfaces on which the other host is looked for."""
    names = args.interface
    if names is None and args.remote:
        return []
    usable = [one.name for one in present if one.up and one.carrier]
    if names is None:
        names = questions.ask("Interfaces that lead to the other host", ", ".join(usable), "--interface NAME", str)
    found = {one.name: one for one in present}
    for name in names:
        if name not in found:
            raise CommandError(f"no interface {name} that could be a link; there are: {', '.join(found) or 'none'}")
    down = [name for name in names if name not in usable]
    if down:
        print(f"{', '.join(down)}: down, or not plugged in; nobody is looked for there", file=sys.stderr)
    return [found[name] for name in dict.fromkeys(names)]


def _addresses(args: argparse.Namespace, questions: _Questions, chosen: Sequence[Interface]) -> list[Address]:
    """Give this host's addresses to which the other one sends: by default those on the links, else all."""
    if args.address:
        return list(args.address)
    places = [place for place in netlink.places() if not (place.address.is_loopback or place.address.is_link_local)]
    indices = {one.index for one in chosen}
    known = [place.address for place in places if place.index in indices] or [place.address for place in places]
    default = ", ".join(str(one) for one in sorted(set(known), key=lambda one: (one.version, int(one))))
    return questions.ask("This host's addresses to which the other one sends", default, "--address IP", _address)


def _find(
    args: argparse.Namespace, questions: _Questions, chosen: Sequence[Interface], host: str,
    addresses: Sequence[Address],
) -> Found | None:  # fmt: skip
    """Find the other host on the links; None where nobody is there."""
    ready = [one for one in chosen if one.up and one.carrier]
    if not ready or not args.wait:
        return None
    names = ", ".join(one.name for one in ready)
    print(f"Looking for the other host on {names} for up to {args.wait:g} s: run alagg init there now, too.",
          file=sys.stderr)  # fmt: skip
    with bar(1.0, "looking") as show:
        tell: Callable[[float, int], None] = lambda share, count: show(share, f"found: {count}")  # noqa: E731
        found = meet(ready, host, addresses, ETHERTYPE, args.wait, tell)
    if args.peer and len(found) > 1:
        found = [one for one in found if one.host == args.peer]
    if len(found) > 1:
        listed = "; ".join(_words(one) for one in found)
        raise CommandError(f"several hosts are there: {listed}; allowed: --peer NAME, or fewer --interface")
    if not found and questions.silent and not args.interface:
        raise CommandError(f"nobody was found on {names}; allowed: --interface NAME and --destination IP")
    if not found:
        print("Nobody was found: links get mac = auto, and find each other when both nodes run.", file=sys.stderr)
        return None
    print(f"Found {_words(found[0])}", file=sys.stderr)
    if questions.ask("Is that the other host", "yes", "--yes", str)[0].lower() not in ("y", "yes"):
        raise CommandError("that is not the other host; allowed: other interfaces, by --interface NAME")
    return found[0]


def _words(found: Found) -> str:
    ways = [f"{pair.interface} to {pair.far_interface or 'its'} {pair.mac.hex(':')}" for pair in found.pairs()]
    return f"{found.host or 'a running node'} ({', '.join(map(str, found.addresses))}): {', '.join(ways)}"


class _Questions:
    """Asks what the line does not say."""

    def __init__(self, *, silent: bool) -> None:
        self.silent = silent

    def ask(self, question: str, default: str, flag: str, read: Callable[[str], T]) -> list[T]:
        """Give the answers to a question, separated by commas; the default for an empty one, or when silent."""
        while True:
            text = "" if self.silent else input(f"{question}{f' [{default}]' if default else ''}: ")
            parts = [part.strip() for part in (text.strip() or default).split(",") if part.strip()]
            try:
                found = [read(part) for part in parts]
            except argparse.ArgumentTypeError as error:
                if self.silent:
                    raise CommandError(f"{flag}: {error}") from None
                print(error, file=sys.stderr)
                continue
            if found:
                return found
            if self.silent:
                raise CommandError(f"not known: {question[0].lower()}{question[1:]}; allowed: {flag}")


def _refuse_to_replace(force: bool, *paths: Path | None) -> None:  # noqa: FBT001 - what the user asked for
    for path in paths:
        if path is not None and path.exists() and not force:
            raise CommandError(f"{path}: is there already; allowed: another --config, or --force to replace it")


def _can_be_link(one: Interface) -> bool:
    return one.type == netlink.ETHERNET and bool(one.mac)


def _own_name() -> str:
    return _name(socket.gethostname().partition(".")[0] or "host")


def _name(text: str) -> str:
    if not text or any(char in " #;[]=" or not char.isprintable() for char in text):
        raise argparse.ArgumentTypeError(f"{text!r}: allowed: one word")
    return text


def _address(text: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text}: allowed: an IPv4 or IPv6 address") from None


def _network(text: str) -> str:
    try:
        return str(values.destinations(text)[0]).removesuffix("/32").removesuffix("/128")
    except values.RefusedError as error:
        raise argparse.ArgumentTypeError(f"{text}: allowed: {error}") from None


def _remote(text: str) -> str:
    try:
        values.udp_remote(text)
    except values.RefusedError as error:
        raise argparse.ArgumentTypeError(f"{text}: allowed: {error}") from None
    return text
