"""The iptables rules that bring packets to the node: which ones a configuration wants, and which ones are there."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final, Literal, cast

from alagg.system import HostError, flows, peek, tables
from alagg.system.journal import Change

if TYPE_CHECKING:
    from collections.abc import Sequence

    from alagg.config import Config, Network
    from alagg.system.journal import Facts, Journal

Family = Literal[4, 6]

_COMMANDS: Final = {4: "iptables-legacy", 6: "ip6tables-legacy"}
"""Ours are the legacy tables; plain `iptables` means those of nftables on most hosts."""
_FEW: Final = 16
"""Destinations of a family that get rules of their own: the kernel goes through them for each packet."""


@dataclass(frozen=True)
class Rule:
    """One rule, always inserted as the first of its chain. Its fields are the facts of the journal."""

    family: Family
    table: str
    chain: str
    comment: str
    """Whose rule it is: two nodes on one host differ here, and so does every rule of the user."""
    destination: str = ""
    """An address with its prefix length; empty for all."""
    out_interface: str = ""
    """The interface that a packet leaves by, with a leading "!" every other one; empty for all."""
    mark: int = 0
    """Packets with this mark are left alone; 0 for no such condition."""
    protocol: str = ""
    """`tcp`, or empty for all."""
    bytecode: str = ""
    """The program that picks a worker's share of the flows (`alagg.system.flows`); empty for all that is left."""
    queue: int = -1
    """The NFQUEUE that takes the packet; -1 for a rule that does something else."""
    icmp_type: str = ""
    """Drops ICMP messages of this type; empty, without a queue: fits TCP's segment size to the path."""

    @property
    def arguments(self) -> tuple[str, ...]:
        """The rule as iptables(8) writes it, without command, table and chain."""
        words: list[str] = []
        if self.destination:
            words += ["-d", self.destination]
        if self.out_interface:
            words += ["!"] * self.out_interface.startswith("!") + ["-o", self.out_interface.lstrip("!")]
        if self.mark:
            words += ["-m", "mark", "!", "--mark", f"{self.mark:#x}"]
        if self.protocol:
            words += ["-p", self.protocol]
        if self.bytecode:
            words += ["-m", "bpf", "--bytecode", f'"{self.bytecode}"']
        if self.icmp_type:
            words += ["-m", "icmp", "--icmp-type", self.icmp_type]
        elif self.queue < 0:
            words += ["-m", "tcp", "--tcp-flags", "SYN,RST", "SYN"]
        words += ["-m", "comment", "--comment", f'"{self.comment}"']
        if self.icmp_type:
            return (*words, "-j", "DROP")
        if self.queue < 0:
            return (*words, "-j", "TCPMSS", "--clamp-mss-to-pmtu")
        return (*words, "-j", "NFQUEUE", "--queue-num", str(self.queue), "--queue-bypass")

    def __str__(self) -> str:
        where = () if self.table == "filter" else ("-t", self.table)
        return " ".join((_COMMANDS[self.family], *where, "-I", self.chain, *self.arguments))


def wanted_rules(config: Config) -> list[Rule]:
    """Give the rules that a configuration needs: a pure function, in the order in which the kernel tries them.

    The rules for TCP come before the general ones; among either, each worker but the last has its share of the flows
    picked, and the last takes what is left. Where the node has its device, they catch what is routed to it and
    nothing else: a network of the host's own that lies in a destination has a route that is more specific.
    Without the device, packets for `lo` are never caught: what the host says to itself stays at home.
    """
    found = dict.fromkeys(network for peer in config.peers for network in peer.destinations)
    protocols = ("tcp", "") if config.gso else ("",)
    families = sorted({network.version for network in found})
    rules = [
        _capture(config, chain, family, destination, protocol, worker)
        for chain in config.rule_chains
        for family in families for destination in _matches(config, [one for one in found if one.version == family])
        for protocol in protocols for worker in range(config.workers)
    ]  # fmt: skip
    if not config.manage_host:
        return rules
    if 4 in families and ("FORWARD" in config.chains or config.networks):
        # First, or the redirects would be captured as well.
        rules.insert(0, _no_redirects(config))
    if "FORWARD" in config.chains:
        rules += [_clamp(config, family) for family in families]
    return rules


def _matches(config: Config, networks: Sequence[Network]) -> list[str]:
    """Give what rules look for: each destination, or, of many, whatever is routed to the device."""
    if config.manage_host and len(networks) > _FEW:
        return [""]
    return [str(network) for network in networks]


def install(config: Config, journal: Journal | None) -> None:
    """Insert the wanted rules first in their chains, in one step for each table. Doing it again changes nothing.

    Args:
        journal: where each rule is written down before; None for rules that are meant to stay (`alagg rules`).

    Raises:
        HostError: the kernel or the host's libraries refuse them.
    """
    wanted = wanted_rules(config)
    if journal is not None:
        journal.record(*(Change("rule", cast("Facts", asdict(rule))) for rule in wanted))
    try:
        # Deleted and inserted in the same commit: never twice there, and never missing in between.
        tables.replace(delete=wanted, insert=wanted)
    except HostError:
        _give_back(wanted)
        raise


def _give_back(rules: Sequence[Rule]) -> None:
    """Delete what one family took and the other refused; where nothing can be changed, nothing was."""
    for family in sorted({rule.family for rule in rules}):
        with suppress(HostError):
            tables.replace(delete=[rule for rule in rules if rule.family == family], insert=())


def remove(config: Config) -> None:
    """Delete the wanted rules; those that are not there do not matter.

    Raises:
        HostError: the kernel or the host's libraries refuse it.
    """
    tables.replace(delete=wanted_rules(config), insert=())


def replace_all(before: Config, now: Config, journal: Journal) -> None:
    """Go over from the rules of one configuration to those of another, in one step for each table.

    Raises:
        HostError: the kernel or the host's libraries refuse it.
    """
    old, wanted = wanted_rules(before), wanted_rules(now)
    if old == wanted:
        return
    journal.record(*(Change("rule", cast("Facts", asdict(rule))) for rule in wanted))
    tables.replace(delete=list(dict.fromkeys((*old, *wanted))), insert=wanted)


def look(config: Config) -> dict[tuple[Family, str, str], peek.Chain]:
    """Give what the kernel has of the node's rules, chain by chain; cheap enough for every second.

    Raises:
        HostError: a table cannot be read.
    """
    chains = dict.fromkeys((rule.family, rule.table, rule.chain) for rule in wanted_rules(config))
    return {chain: peek.chain(*chain, _comment(config)) for chain in chains}


def missing(config: Config) -> list[Rule]:
    """Give the wanted rules that no rule in the kernel's legacy tables stands for.

    The user's own rules count: one does the same that catches at least the wanted destination in the same chain
    for the same queue and leaves the node's mark alone, whatever else it says in its comment. A rule behind a more
    general one that takes its packets (for TCP, or for one worker's share) does not count.

    Raises:
        HostError: the tables cannot be read.
    """
    wanted = wanted_rules(config)
    found = tables.read(wanted)
    places = {rule: _place(rule, found) for rule in wanted}
    ends = {rule: min((places[other] for other in _behind(rule, wanted)), default=len(found)) for rule in wanted}
    return [rule for rule in wanted if places[rule] >= ends[rule]]


def only_slower(config: Config, lacking: Sequence[Rule]) -> list[Rule]:
    """Give those of the lacking rules without which packets are caught all the same, only more slowly.

    TCP's, where the general rule for the same destination and chain is there: then packets come one by one. And a
    worker's, where the last worker's is there: then that one has more to do.
    """
    there = [rule for rule in wanted_rules(config) if rule not in lacking]
    return [rule for rule in lacking if _behind(rule, there)]


def undo(facts: Sequence[Facts]) -> list[str]:
    """Delete rules that a journal names, as far as they are there: no library is needed where none is."""
    named = [Rule(**cast("dict[str, object]", one)) for one in facts]  # type: ignore[arg-type]
    chains = {(rule.family, rule.table, rule.chain, rule.comment) for rule in named}
    there = {chain for chain in chains if _may_hold(*chain)}
    rules = [rule for rule in named if (rule.family, rule.table, rule.chain, rule.comment) in there]
    if rules:
        tables.replace(delete=rules, insert=())
    return [f"removed rule: {rule}" for rule in rules]


def _may_hold(family: Family, table: str, chain: str, comment: str) -> bool:
    try:
        return bool(peek.chain(family, table, chain, comment).rules)
    except peek.NoTableError:
        return False
    except HostError:  # it cannot be read: the deletion says why
        return True


def _behind(rule: Rule, others: Sequence[Rule]) -> list[Rule]:
    """Give those of the others that catch what a capturing rule would leave: they differ in being more general."""
    return [
        other
        for other in others
        if rule.queue >= 0 and other != rule
        and other.protocol in ("", rule.protocol) and other.bytecode in ("", rule.bytecode)
        and replace(rule, protocol=other.protocol, bytecode=other.bytecode, queue=other.queue) == other
    ]  # fmt: skip


def _place(rule: Rule, found: Sequence[tables.Seen]) -> int:
    """Give the place of the first rule in the kernel that does what the wanted one is for; their number if none."""
    return next((place for place, seen in enumerate(found) if _does(seen, rule)), len(found))


def _does(seen: tables.Seen, rule: Rule) -> bool:
    """Say whether a rule in the kernel does what the wanted one is for."""
    if (seen.family, seen.table, seen.chain) != (rule.family, rule.table, rule.chain):
        return False
    if rule.icmp_type:
        return seen.target == "DROP" and seen.out_interface == rule.out_interface and seen.protocol == "icmp"
    if rule.queue < 0:
        return seen.target == "TCPMSS" and seen.out_interface in ("", rule.out_interface)
    if seen.queue != rule.queue or seen.mark != rule.mark or seen.protocol not in ("", rule.protocol):
        return False
    if seen.bytecode != rule.bytecode:
        return False
    return not seen.destination or (rule.destination != "" and _covers(seen.destination, rule.destination))


def _covers(outer: str, inner: str) -> bool:
    wide, narrow = ipaddress.ip_network(outer, strict=False), ipaddress.ip_network(inner)
    return narrow.subnet_of(wide)  # type: ignore[arg-type]


def _capture(
    config: Config, chain: str, family: Family, destination: str, protocol: str, worker: int
) -> Rule:
    last = worker == config.workers - 1
    queue = config.tcp_queue_of(worker) if protocol else config.queue_of(worker)
    assert queue is not None
    return Rule(
        family=family,
        table="filter",
        chain=chain,
        comment=_comment(config),
        destination=destination,
        out_interface=config.device if config.manage_host else "!lo" if chain == "OUTPUT" else "",
        mark=config.mark,
        protocol=protocol,
        bytecode="" if last else flows.bytecode(family, worker, config.workers),
        queue=queue,
    )


def _no_redirects(config: Config) -> Rule:
    """Keep the kernel's advice to itself to use a shorter way: a hub's peers have no other one.

    `send_redirects` of the device alone does not: the kernel looks at that of `all` as well, and that one is the
    host's. IPv6 needs a link-local address for it, which the device does not have.
    """
    return Rule(
        family=4, table="filter", chain="OUTPUT", comment=_comment(config), out_interface=config.device,
        protocol="icmp", icmp_type="redirect",
    )


def _clamp(config: Config, family: Family) -> Rule:
    return Rule(
        family=family, table="mangle", chain="FORWARD", comment=_comment(config), out_interface=config.device,
        protocol="tcp",
    )


def _comment(config: Config) -> str:
    # xt_comment holds 255 characters; a socket's path has at most 107.
    return f"alagg:{config.control_socket}"

