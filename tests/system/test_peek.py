"""A cheap look at the kernel's tables sees what iptables(8) sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg.system import peek, rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.config import Config

    from .conftest import Hosts

    MakeConfig = Callable[..., Config]

FAMILIES = {"iptables-legacy": 4, "ip6tables-legacy": 6}

pytestmark = pytest.mark.netns


def test_sees_each_rule_and_who_stands_before_it(hosts: Hosts, make_config: MakeConfig) -> None:
    config = make_config(chains="OUTPUT, FORWARD", workers=2)
    rules.install(config, None)
    found = rules.look(config)
    for (family, table, chain), seen in found.items():
        wanted = [(one.family, one.table, one.chain) for one in rules.wanted_rules(config)]
        assert len(seen.rules) == wanted.count((family, table, chain))
        assert not seen.overtaken
    hosts.a.run(["ping", "-c", "3", "-i", "0.01", "-W", "0.1", "10.99.0.2"], check=False)
    assert rules.look(config) == found
    rules.remove(config)


@pytest.mark.parametrize("command", FAMILIES)
@pytest.mark.parametrize(
    ("rule", "overtaken"), [("-j ACCEPT", True), ("-p tcp -j LOG", True), ("-j DROP", False), ("-j REJECT", False)]
)
def test_a_foreign_rule_overtakes_unless_it_refuses(
    hosts: Hosts, make_config: MakeConfig, command: str, rule: str, *, overtaken: bool
) -> None:
    config = make_config()
    rules.install(config, None)
    hosts.a.run([command, "-I", "OUTPUT", *rule.split()])
    (seen,) = [chain for (family, *_), chain in rules.look(config).items() if family == FAMILIES[command]]
    assert seen.overtaken == overtaken
    hosts.a.run([command, "-D", "OUTPUT", *rule.split()])
    hosts.a.run([command, "-A", "OUTPUT", *rule.split()])
    assert not any(chain.overtaken for chain in rules.look(config).values())
    rules.remove(config)


def test_another_nodes_rules_overtake_nobody(hosts: Hosts, make_config: MakeConfig) -> None:
    first, second = make_config("first"), make_config("second", queue=3)
    rules.install(first, None)
    before = rules.look(first)
    rules.install(second, None)
    assert rules.look(first) == before
    rules.remove(second)
    rules.remove(first)
    assert not rules.look(first)[4, "filter", "OUTPUT"].rules


def test_a_table_that_is_not_there_is_one_line(hosts: Hosts) -> None:
    with pytest.raises(peek.NoTableError, match="the nosuch table of IPv4 cannot be read"):
        peek.chain(4, "nosuch", "OUTPUT", "alagg:x")
