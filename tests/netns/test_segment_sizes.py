"""TCP is never cut larger than its receiver takes: a host behind a gateway, on a network with smaller frames."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from alagg.lab import measure
from alagg.lab.topology import Lab
from tests.netns.conftest import running

if TYPE_CHECKING:
    from alagg.lab.host import Host

pytestmark = [pytest.mark.netns, pytest.mark.beside]


def complaints(host: Host) -> int:
    """Count the packets that a host could not forward since they were too big, both families."""
    text = host.run(["cat", "/proc/net/snmp", "/proc/net/snmp6"]).stdout
    names, values = re.findall(r"^Icmp: (.+)$", text, re.MULTILINE)
    v4 = int(dict(zip(names.split(), values.split(), strict=True))["OutDestUnreachs"])
    (v6,) = re.findall(r"^Icmp6OutPktTooBigs\s+(\d+)", text, re.MULTILINE)
    return v4 + int(v6)


@pytest.mark.parametrize("options", [{}, {"workers": "2"}, {"capture": "device"}, {"capture": "nfqueue"}],
                         ids=lambda options: " ".join(options.values()) or "default")
def test_nothing_is_cut_larger_than_a_receiver_behind_a_gateway_takes(options: dict[str, str]) -> None:
    lab = Lab(links=2, lans=True)
    with running(lab, **options):
        lab.b.ip("link set lan0 mtu 1300")
        lab.lan_b.ip("link set eth0 mtu 1300")
        flows = [measure.transfer(source, lab.lan_b, size=3_000_000, family=family)
                 for source in (lab.a, lab.lan_a) for family in (4, 6)]  # fmt: skip
        flows += [measure.transfer(lab.lan_b, target, size=3_000_000, family=family)
                  for target in (lab.a, lab.lan_a) for family in (4, 6)]  # fmt: skip
        assert all(flow.result(timeout=60).intact for flow in flows)
        assert complaints(lab.b) == 0


@pytest.mark.parametrize("gso", ["yes", "no"])
def test_path_that_narrows_behind_the_gateway_is_found(gso: str) -> None:
    """The receiver announces what its own network carries; only the gateway's complaint tells of the narrow path."""
    with running(Lab(links=2, lans=True), gso=gso, chains="OUTPUT") as lab:  # so that nothing clamps
        v4, v6 = lab._networks(lab.b)
        lab.b.ip(f"route change {v4} dev lan0 mtu lock 1300", f"route add {v6} dev lan0 metric 1 mtu 1300")
        for family in (4, 6):
            assert lab.a.transfer(lab.lan_b, size=3_000_000, family=family).intact
        assert 0 < complaints(lab.b) < 50
