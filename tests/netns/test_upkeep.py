"""Other programs take away what the node has set up: traffic goes on, and everything comes back, from both sides."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from alagg.lab.host import Host
    from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns

PATIENCE: Final = 10.0
TOLD: Final = "put back what another program had taken away"
LOOK: Final = """
ip -4 route show dev alagg0; ip -6 route show dev alagg0 proto static; ip -o address show dev alagg0 | cut -d' ' -f 7
ip -o link show dev alagg0 | grep -o 'UP' | head -1; cat /sys/class/net/alagg0/mtu
cat /proc/sys/net/ipv4/conf/alagg0/send_redirects /proc/sys/net/ipv6/conf/alagg0/accept_ra
iptables-legacy -S; ip6tables-legacy -S
"""
LOSSES: Final = {
    "rules": "iptables-legacy -F; ip6tables-legacy -F",
    "a rule": "iptables-legacy -D OUTPUT 1",
    "overtaken": "iptables-legacy -I OUTPUT -j ACCEPT; ip6tables-legacy -I OUTPUT -j ACCEPT",
    "routes": "ip route flush dev alagg0; ip -6 route flush dev alagg0 proto static",
    "addresses": "ip address flush dev alagg0",
    "down": "ip link set alagg0 down",
    "down and up": "ip link set alagg0 down; ip link set alagg0 up",
    "mtu": "ip link set alagg0 mtu 1300",
    "settings": "echo 1 > /proc/sys/net/ipv4/conf/alagg0/send_redirects",
    "deleted": "ip link del alagg0",
}


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


@pytest.mark.parametrize("letter", ["a", "b"])
@pytest.mark.parametrize("loss", LOSSES)
def test_what_is_lost_comes_back_and_is_told_once(lab: Lab, letter: str, loss: str) -> None:
    host: Host = getattr(lab, letter)
    before = look(host)
    host.run(["sh", "-c", LOSSES[loss]])
    assert eventually(lambda: look(host) == before), set(look(host)) ^ set(before)
    for family in (4, 6):
        assert lab.a.ping(lab.b, count=10, family=family).received == 10
        assert lab.b.ping(lab.a, count=10, family=family).received == 10
    assert eventually(lambda: TOLD in host.node.tail(200))  # what was only overtaken is missed when it is looked at
    assert host.node.tail(200).count(TOLD) == 1


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
