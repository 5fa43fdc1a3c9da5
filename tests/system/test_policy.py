"""Rules of the host's that lead packets past the node's routes are named, whatever they go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg.system import policy

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.config import Config

    from .conftest import Hosts

pytestmark = pytest.mark.netns


@pytest.mark.parametrize(
    ("family", "rule", "network"),
    [
        ("-4", "from 10.99.0.1", "10.99.0.2/32"),
        ("-4", "to 10.99.0.0/24", "10.99.0.2/32"),
        ("-6", "from fd99::1", "fd99::2/128"),
    ],
)
def test_a_rule_before_the_main_table_is_named(
    hosts: Hosts, make_config: Callable[..., Config], family: str, rule: str, network: str
) -> None:
    assert list(policy.examine(make_config())) == []
    via = "10.98.0.2" if family == "-4" else "fd98::2"
    for change in (f"route add default via {via} table 100", f"rule add {rule} lookup 100 pref 1000"):
        hosts.a.run(["ip", family, *change.split()])
    [(what, mend)] = policy.examine(make_config())
    assert f"to {network} go by table 100" in what
    assert f"rule add to {network} lookup main" in mend
    hosts.a.run(["ip", family, *f"rule add to {network} lookup main pref 999".split()])
    assert list(policy.examine(make_config(addresses="10.99.0.1, fd99::1"))) == []


def test_other_rules_are_nobodys_concern(hosts: Hosts, make_config: Callable[..., Config]) -> None:
    """A table without a way leads on to the next one, as VPNs have it; a rule for others does not matter."""
    hosts.a.ip("rule add lookup 100 pref 1000", "route add default via 10.98.0.2 table 200")
    hosts.a.ip("rule add from 192.0.2.1 lookup 200 pref 1001", "rule add fwmark 7 lookup 200 pref 1002")
    assert list(policy.examine(make_config())) == []
