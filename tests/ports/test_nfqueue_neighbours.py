"""A rule that catches all hands over what only the segment can answer: the capture gives that back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ports.test_nfqueue import QUEUE, captured, take

if TYPE_CHECKING:
    from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns


def test_neighbours_are_found_although_a_rule_catches_all(lab: Lab) -> None:
    """The answer to who asks for a neighbour has the asking host's address: it is no packet for the peer."""
    for command in ("iptables-legacy", "ip6tables-legacy"):
        lab.a.run([command, "-A", "OUTPUT", "!", "-o", "lo", "-j", "NFQUEUE", "--queue-num", str(QUEUE)])
    for host, address in ((lab.a, "fd12::1"), (lab.b, "fd12::2")):
        host.ip(f"addr add {address}/64 dev eth0 nodad")
    with captured(lab.a) as opened:
        ping = lab.b.popen(["ping", "-c", "1", "-W", "5", "fd12::1"])
        packets: list[bytes] = []
        while not packets and ping.poll() is None:
            packets += [packet for packet in take(opened) if packet[40:41] == b"\x81"]
        ping.kill()
        ping.wait()
        assert packets, "the echo's answer is for the peer, and would not be sent without its neighbour's address"
        assert opened.counters()["left_alone"] > 0
