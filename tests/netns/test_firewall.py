"""What docs/operations.md says of stateful firewalls: peers' connections are tracked, our own need one rule more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab.topology import Lab
from tests.netns.conftest import running

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.host import Host
    from alagg.lab.measure import Family

pytestmark = [pytest.mark.netns, pytest.mark.beside]

COMMANDS: Final = {4: "iptables-legacy", 6: "ip6tables-legacy"}
ANSWERS: Final = "-m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT"
DEVICE: Final = "-i alagg0 -j ACCEPT"
PINGS: Final = 10
FAMILIES: Final = pytest.mark.parametrize("family", [4, 6])


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running(Lab(links=2, direct=True)) as built:
        yield built


def allow_only(host: Host, family: Family, *rules: str) -> None:
    """Let a host's INPUT accept what the rules say and nothing else."""
    for rule in (*rules, "-j DROP"):
        host.run([COMMANDS[family], "-A", "INPUT", *rule.split()])


@FAMILIES
def test_what_a_peer_opens_is_tracked(lab: Lab, family: Family) -> None:
    ping = {4: "-p icmp --icmp-type echo-request", 6: "-p icmpv6 --icmpv6-type echo-request"}[family]
    allow_only(lab.b, family, ANSWERS, f"{ping} -m conntrack --ctstate NEW -j ACCEPT")
    assert lab.a.ping(lab.b, count=PINGS, family=family).received == PINGS
    tracked = lab.b.run([COMMANDS[family], "-L", "INPUT", "-n", "-v", "-x"]).stdout.splitlines()[2]
    assert int(tracked.split()[0]) == PINGS - 1  # all but the first; IPv4 and IPv6 ping keep one identifier


@FAMILIES
def test_what_we_open_needs_the_device_to_be_let_in(lab: Lab, family: Family) -> None:
    allow_only(lab.a, family, ANSWERS)
    assert lab.a.ping(lab.b, count=PINGS, family=family).received == 0
    lab.a.run([COMMANDS[family], "-I", "INPUT", *DEVICE.split()])
    assert lab.a.ping(lab.b, count=PINGS, family=family).received == PINGS
    assert lab.a.transfer(lab.b, size=1_000_000, family=family).intact
