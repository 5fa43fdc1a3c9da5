"""Firewalls of both worlds: what refuses packets that come in by the device, and what does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg.system import firewall

if TYPE_CHECKING:
    from .conftest import Hosts

pytestmark = pytest.mark.netns


@pytest.mark.parametrize(
    "command", ["iptables-legacy", "ip6tables-legacy", "iptables-nft", "ip6tables-nft"]
)
@pytest.mark.parametrize("hook", ["INPUT", "FORWARD"])
def test_a_chain_that_names_the_device_or_refuses_nothing_is_well(hosts: Hosts, command: str, hook: str) -> None:
    def rule(*words: str) -> None:
        hosts.a.run([command, *words])

    rule("-A", hook, "-m", "conntrack", "--ctstate", "ESTABLISHED", "-j", "ACCEPT")
    rule("-A", hook, "-p", "tcp", "--dport", "22", "-j", "DROP")
    assert firewall.refusing(hook, "alagg0") == []
    rule("-P", hook, "DROP")
    (place,) = firewall.refusing(hook, "alagg0")
    assert command.replace("-legacy", "").replace("-nft", "")[:3] == "ip6" or "ip6" not in place
    assert place.endswith(f"table filter, chain {hook}")
    rule("-P", hook, "ACCEPT")
    assert firewall.refusing(hook, "alagg0") == []
    rule("-A", hook, "-j", "REJECT")
    assert len(firewall.refusing(hook, "alagg0")) == 1
    rule("-I", hook, "-i", "alagg+", "-j", "ACCEPT")
    assert firewall.refusing(hook, "alagg0") == []
    assert len(firewall.refusing(hook, "tun0")) == 1


def test_hooks_are_told_apart(hosts: Hosts) -> None:
    hosts.a.run(["iptables-legacy", "-P", "FORWARD", "DROP"])
    assert firewall.refusing("INPUT", "alagg0") == []
    assert firewall.refusing("FORWARD", "alagg0") == ["iptables-legacy, table filter, chain FORWARD"]
