"""Other programs take away what the node has set up: traffic goes on, and everything comes back, from both sides."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab import measure
from alagg.lab.topology import Lab
from tests.netns.conftest import running
from tests.netns.test_traffic import directions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alagg.lab.host import Host

pytestmark = [pytest.mark.netns, pytest.mark.beside]

PATIENCE: Final = 30.0
"""Seconds to wait for what comes: more than the ten after which a node that has put back much does so once more."""
TOLD: Final = "put back what another program had taken away"
LOOK: Final = """
ip -4 route show dev alagg0; ip -6 route show dev alagg0 proto static; ip -o address show dev alagg0 | cut -d' ' -f 7
ip -o link show dev alagg0 | grep -o 'UP' | head -1; cat /sys/class/net/alagg0/mtu
cat /proc/sys/net/ipv4/conf/alagg0/send_redirects /proc/sys/net/ipv6/conf/alagg0/accept_ra
iptables-legacy -S; ip6tables-legacy -S
"""
LOSSES: Final = (
    {
        "rules": "iptables-legacy -F; ip6tables-legacy -F",
        "routes": "ip route flush dev alagg0; ip -6 route flush dev alagg0 proto static",
        "deleted": "ip link del alagg0",
    },
    {
        "a rule": "iptables-legacy -D OUTPUT 1",
        "addresses": "ip address flush dev alagg0",
    },
    {
        "overtaken": "iptables-legacy -I OUTPUT -j ACCEPT; ip6tables-legacy -I OUTPUT -j ACCEPT",
        "down": "ip link set alagg0 down",
    },
    {"down and up": "ip link set alagg0 down; ip link set alagg0 up"},
    {"mtu": "ip link set alagg0 mtu 1300"},
    {"settings": "echo 1 > /proc/sys/net/ipv4/conf/alagg0/send_redirects"},
)
"""What is taken away, and how: those that one node tells of, of different kinds, since it tells of each only once."""


@pytest.fixture(scope="module", params=range(len(LOSSES)))
def shared() -> Iterator[Lab]:
    """Give a lab for all losses in a line of the table; the line's number is the parameter."""
    with running(Lab(links=2)) as built:
        yield built


def look(host: Host) -> list[str]:
    """Give what the node has set up; rules of others (ACCEPT) and the order of lines do not matter here."""
    lines = host.run(["sh", "-c", LOOK], check=False).stdout.splitlines()
    return sorted(line.strip() for line in lines if "-j ACCEPT" not in line)


def eventually(holds: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.1)
    return False


def cross(lab: Lab) -> list[int]:
    """Give how many of ten pings each were answered, both ways and over both families at once."""
    pings = [
        measure.ping(one, other, count=10, interval=0.01, family=family)
        for one, other, family in directions(*lab.hosts)
    ]
    return [ping.result().received for ping in pings]


@pytest.mark.parametrize("letter", ["a", "b"])
@pytest.mark.parametrize(
    ("shared", "command"), [(number, command) for number, losses in enumerate(LOSSES) for command in losses.values()],
    indirect=["shared"], ids=[loss for losses in LOSSES for loss in losses],
)  # fmt: skip
def test_what_is_lost_comes_back_and_is_told_once(shared: Lab, letter: str, command: str) -> None:
    host: Host = getattr(shared, letter)
    before, told = look(host), tells(host)
    host.run(["sh", "-c", command])
    assert eventually(lambda: look(host) == before), set(look(host)) ^ set(before)
    assert cross(shared) == [10] * 4
    assert eventually(lambda: tells(host) > told)  # what was only overtaken is missed when it is looked at
    assert tells(host) == told + 1


def tells(host: Host) -> int:
    """Count the lines in which the host's node has told of a loss."""
    return host.node.log.read_text().count(TOLD)


def test_a_program_that_insists_is_not_fought(lab: Lab) -> None:
    for _ in range(12):
        lab.a.run(["ip", "route", "flush", "dev", "alagg0"])
        time.sleep(0.2)
    log = lab.a.node.tail(200)
    assert log.count(TOLD) == 1
    assert eventually(lambda: "dev alagg0" in lab.a.run(["ip", "route", "get", lab.b.ipv4]).stdout)


def test_a_flood_of_events_costs_nothing(lab: Lab) -> None:
    """Thousands of routes of others come and go; what happens to ours in the middle of it is noticed all the same."""
    networks = [f"10.{one >> 8}.{one & 255}.0/24" for one in range(8000)]
    flood = lab.a.popen(["ip", "-batch", "-"])
    assert flood.stdin
    flood.stdin.write("".join(f"route add {one} dev lo\nroute del {one} dev lo\n" for one in networks).encode())
    flood.stdin.flush()
    lab.a.ip("link set alagg0 mtu 1300")
    assert lab.a.ping(lab.b, count=50).received == 50
    flood.communicate()
    assert eventually(lambda: "mtu 1300" not in lab.a.run(["ip", "link", "show", "dev", "alagg0"]).stdout)
