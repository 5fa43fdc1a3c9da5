from __future__ import annotations

import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from alagg.system import flows, rules, tables
from alagg.system.journal import Journal

from .conftest import Hosts, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alagg.config import Config
    from alagg.system.rules import Rule

    MakeConfig = Callable[..., Config]

USERS_RULES = (
    "iptables-legacy -A OUTPUT -d 10.99.0.2/32 -m mark ! --mark 0xa1a6 -j NFQUEUE --queue-num 1 --queue-bypass",
    "ip6tables-legacy -A OUTPUT -d fd99::2/128 ! -o lo -m mark ! --mark 0xa1a6 -j NFQUEUE --queue-num 7",
    # Extensions that libxtables cannot load for both families in one process.
    "iptables-legacy -A OUTPUT -p icmp -j LOG",
    "ip6tables-legacy -A OUTPUT -p tcp -j LOG",
    "iptables-legacy -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
    "ip6tables-legacy -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu",
)


def run(hosts: Hosts, line: str) -> None:
    hosts.a.run(line.split())


def chain(command: str) -> list[str]:
    text = subprocess.run(command.split(), capture_output=True, text=True, check=True).stdout
    return text.splitlines()[1:]


@pytest.mark.parametrize(("manage", "out"), [("yes", "-o alagg0"), ("no", "! -o lo")])
def test_wants_one_rule_for_each_destination_and_chain(make_config: MakeConfig, manage: str, out: str) -> None:
    config = make_config(queue=5, mark="0x77", manage_host=manage)
    plain = [str(rule) for rule in rules.wanted_rules(config) if rule.queue == 5]
    comment = f'-m comment --comment "alagg:{config.control_socket}"'
    rest = f"{out} -m mark ! --mark 0x77 {comment} -j NFQUEUE --queue-num 5 --queue-bypass"
    assert plain == [
        f"iptables-legacy -I OUTPUT -d 10.99.0.2/32 {rest}",
        f"ip6tables-legacy -I OUTPUT -d fd99::2/128 {rest}",
    ]


def test_wants_a_queue_of_its_own_for_tcp_in_super_packets(make_config: MakeConfig) -> None:
    def wanted(gso: str) -> list[tuple[int, str, int]]:
        config = make_config(queue=5, gso=gso)
        return [(rule.family, rule.protocol, rule.queue) for rule in rules.wanted_rules(config)]

    assert wanted("yes") == [(4, "tcp", 1029), (4, "", 5), (6, "tcp", 1029), (6, "", 5)]
    assert wanted("no") == [(4, "", 5), (6, "", 5)]


def test_wants_a_share_of_the_flows_for_each_worker_and_the_rest_for_the_last(make_config: MakeConfig) -> None:
    wanted = rules.wanted_rules(make_config(queue=65534, workers=3))
    assert [(rule.family, rule.protocol, rule.queue) for rule in wanted] == [
        (family, protocol, queue)
        for family in (4, 6)
        for protocol, queues in (("tcp", (1022, 1023, 1024)), ("", (65534, 65535, 0)))
        for queue in queues
    ]
    programs = [flows.bytecode(family, worker, 3) for family in (4, 6) for worker in (0, 1)]
    assert [rule.bytecode for rule in wanted] == [
        *(programs[0], programs[1], "") * 2, *(programs[2], programs[3], "") * 2,
    ]
    assert f'-m bpf --bytecode "{programs[0]}"' in str(wanted[0])
    assert "bpf" not in str(wanted[2])


def test_wants_the_clamp_on_a_gateway_that_the_node_manages(make_config: MakeConfig) -> None:
    def tables(**options: str) -> list[tuple[str, str, int]]:
        wanted = rules.wanted_rules(make_config(**options))
        return list(dict.fromkeys((rule.table, rule.chain, rule.family) for rule in wanted))

    captures = [("filter", "FORWARD", 4), ("filter", "FORWARD", 6)]
    assert tables(chains="FORWARD", manage_host="no") == captures
    silence, clamps = ("filter", "OUTPUT", 4), [("mangle", "FORWARD", 4), ("mangle", "FORWARD", 6)]
    assert tables(chains="FORWARD", capture="nfqueue") == [silence, *captures, *clamps]
    assert tables(chains="FORWARD") == tables(chains="FORWARD", capture="device") == [silence, *clamps]
    assert tables(capture="device", networks="10.7.0.0/16") == [silence]


def test_wants_none_that_catches_where_the_device_is_all(make_config: MakeConfig) -> None:
    assert rules.wanted_rules(make_config(capture="device")) == []


def test_names_a_destination_of_two_peers_once(make_config: MakeConfig) -> None:
    once = rules.wanted_rules(make_config(peer="destinations = 10.99.0.2"))
    assert rules.wanted_rules(make_config(peer="destinations = 10.99.0.2, 10.99.0.2")) == once


def test_many_destinations_need_no_more_rules_than_one(make_config: MakeConfig) -> None:
    many = ", ".join(f"10.7.{one >> 8}.{one & 255}" for one in range(1000))
    config = make_config(peer=f"destinations = {many}, fd99::2")
    assert [(rule.family, rule.destination, rule.out_interface) for rule in rules.wanted_rules(config)] == [
        (4, "", "alagg0"), (4, "", "alagg0"), (6, "fd99::2/128", "alagg0"), (6, "fd99::2/128", "alagg0"),
    ]
    alone = make_config(peer=f"destinations = {many}", manage_host="no", gso="no")
    assert len(rules.wanted_rules(alone)) == 1000


@pytest.mark.netns
def test_what_is_shown_works_when_it_is_pasted(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config(chains="OUTPUT, FORWARD", manage_host="no", workers=2)
    lines = [str(rule) for rule in reversed(rules.wanted_rules(config))]
    hosts.a.run(["sh", "-ec", "\n".join(lines)])
    pasted = snapshot(hosts.a)
    assert rules.missing(config) == []
    rules.install(config, None)
    assert snapshot(hosts.a) == pasted
    rules.remove(config)


@pytest.mark.netns
def test_installs_first_and_once_and_leaves_no_trace(hosts: Hosts, make_config: MakeConfig, tmp_path: Path) -> None:
    for line in USERS_RULES:
        run(hosts, line)
    config, journal = make_config(chains="OUTPUT, FORWARD"), Journal(tmp_path / "journal")
    before = snapshot(hosts.a)
    rules.install(config, journal)
    once = snapshot(hosts.a)
    silence, first = chain("iptables-legacy -S OUTPUT")[:2]
    assert " --icmp-type 5 " in silence
    assert first.startswith("-A OUTPUT -d 10.99.0.2/32 -o alagg0 ")
    assert chain("ip6tables-legacy -S OUTPUT")[0].startswith("-A OUTPUT -d fd99::2/128 -o alagg0 ")
    assert "clamp-mss" in chain("ip6tables-legacy -t mangle -S FORWARD")[0]
    rules.install(config, journal)
    assert snapshot(hosts.a) == once
    assert len(journal.undo()) == len(rules.wanted_rules(config))
    assert snapshot(hosts.a) == before
    rules.remove(config)
    assert snapshot(hosts.a) == before


@pytest.mark.netns
def test_two_nodes_survive_each_other(hosts: Hosts, make_config: MakeConfig) -> None:
    first, second = make_config("first"), make_config("second")
    rules.install(first, None)
    alone = snapshot(hosts.a)
    rules.install(second, None)
    rules.remove(second)
    assert snapshot(hosts.a) == alone
    rules.remove(first)


@pytest.mark.netns
def test_missing_looks_at_what_rules_do_not_at_whose_they_are(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config()

    def lacking() -> list[int]:
        return [rule.family for rule in rules.missing(config) if rule.queue == config.queue]

    assert lacking() == [4, 6]
    for line in USERS_RULES:
        run(hosts, line)
    # The IPv6 rule of the user leads to another queue.
    assert lacking() == [6]
    run(hosts, "ip6tables-legacy -A OUTPUT -d fd99::/64 -m mark ! --mark 0xa1a6 -j NFQUEUE --queue-num 1")
    assert lacking() == []
    other = make_config(mark="0x1")
    assert rules.missing(other) == rules.wanted_rules(other)


@pytest.mark.netns
def test_rule_for_tcp_counts_only_before_the_general_one(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config(peer="destinations = 10.99.0.2")
    tcp, general = rules.wanted_rules(config)
    rule = "iptables-legacy -{} OUTPUT -d 10.99.0.2 -m mark ! --mark 0xa1a6 {} -j NFQUEUE --queue-num {}".format
    assert rules.only_slower(config, rules.missing(config)) == []
    run(hosts, rule("A", "", 1))
    assert rules.missing(config) == rules.only_slower(config, [tcp]) == [tcp]
    run(hosts, rule("A", "-p tcp", 1025))
    assert rules.missing(config) == [tcp]
    run(hosts, rule("I", "-p tcp", 1025))
    assert rules.missing(config) == []
    run(hosts, rule("D", "", 1))
    assert rules.missing(config) == [general]
    assert rules.only_slower(config, [general]) == []


@pytest.mark.netns
def test_workers_rules_come_in_order_and_go_without_a_trace(hosts: Hosts, make_config: MakeConfig) -> None:
    for line in USERS_RULES:
        run(hosts, line)
    before = snapshot(hosts.a)
    config = make_config(workers=3)
    for _ in range(2):
        rules.install(config, None)
        for command, family in (("iptables-legacy -S OUTPUT", 4), ("ip6tables-legacy -S OUTPUT", 6)):
            queues = [rule.queue for rule in rules.wanted_rules(config) if rule.family == family]
            lines = chain(command)
            assert [int(line.split("--queue-num ")[1].split()[0]) for line in lines[:6]] == queues
            assert f"alagg:{config.control_socket}" not in " ".join(lines[6:])
    assert rules.missing(config) == []
    one = make_config(workers=1)
    rules.remove(config)
    rules.remove(one)
    assert snapshot(hosts.a) == before


@pytest.mark.netns
def test_a_workers_rule_counts_only_before_the_last_ones(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config(peer="destinations = 10.99.0.2", workers=2)
    tcp_first, tcp_last, first, last = wanted = rules.wanted_rules(config)

    def lacking(*there: Rule) -> tuple[list[Rule], list[Rule]]:
        """Give the rules that are missing, and those of them that only make it faster, with these in this order."""
        tables.replace(delete=wanted, insert=there)
        missing = rules.missing(config)
        return missing, rules.only_slower(config, missing)

    assert lacking(*wanted) == ([], [])
    assert lacking(last, tcp_last) == ([tcp_first, tcp_last, first], [tcp_first, tcp_last, first])
    assert lacking(tcp_last, tcp_first, first, last) == ([tcp_first], [tcp_first])
    assert lacking(first, tcp_first, tcp_last, last) == ([tcp_first], [tcp_first])
    assert lacking(tcp_first, tcp_last, first) == ([last], [])
    assert lacking(first) == ([tcp_first, tcp_last, last], [tcp_first])
    rules.remove(config)


@pytest.mark.netns
def test_missing_finds_what_install_made(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config(chains="OUTPUT, FORWARD", peer="destinations = 10.99.0.0/24, fd99::/64, 10.1.2.3")
    rules.install(config, None)
    assert rules.missing(config) == []
    rules.remove(config)
    assert rules.missing(config) == rules.wanted_rules(config)


@pytest.mark.netns
def test_removes_what_only_the_old_configuration_wanted(
    hosts: Hosts, make_config: MakeConfig, tmp_path: Path
) -> None:
    old = make_config("node", peer="destinations = 10.99.0.2, 10.99.0.3")
    rules.install(old, None)
    new = make_config("node", peer="destinations = 10.99.0.3, 10.99.0.4")
    rules.replace_all(old, new, Journal(tmp_path / "journal"))
    assert {line.split()[3] for line in chain("iptables-legacy -S OUTPUT")} == {"10.99.0.3/32", "10.99.0.4/32"}


@pytest.mark.netns
@pytest.mark.usefixtures("hosts")
def test_undoing_rules_that_are_not_there_needs_no_library(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = [asdict(rule) for rule in rules.wanted_rules(make_config(chains="OUTPUT, FORWARD"))]
    monkeypatch.setattr(tables, "replace", lambda **_: pytest.fail("nothing is to be deleted"))
    assert rules.undo(facts) == []
    assert rules.undo([one | {"table": "nosuch"} for one in facts]) == []
