"""Wires: carrier, plugs, devices that go and come back, sizes and rates."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg.lab.namespace import LabError
from alagg.lab.topology import Lab
from alagg.lab.wire import LinkSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alagg.lab.host import Host

pytestmark = pytest.mark.netns


@pytest.fixture(params=[{}, {"emulated": True}, {"direct": True}], ids=["cable", "emulated", "direct"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with Lab(links=[LinkSpec(), LinkSpec(mtu=9000, rate=50_000_000)], **request.param) as lab:
        yield lab


def link(host: Host, interface: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = json.loads(host.run(["ip", "-j", "link", "show", interface]).stdout)
    return found[0]


def test_both_hosts_have_each_link(lab: Lab) -> None:
    for host in lab.hosts:
        for wire, mtu in zip(lab.wire, (1500, 9000), strict=True):
            seen = link(host, wire.interface)
            assert (seen["address"], seen["mtu"]) == (host.mac(wire.number), mtu)
            assert {"UP", "LOWER_UP"} <= set(seen["flags"])
    assert lab.a.ping(lab.b, count=5).lost == 0


def test_the_rate_is_a_bucket_on_both_hosts(lab: Lab) -> None:
    for host in lab.hosts:
        assert "tbf" not in host.run(["tc", "qdisc", "show", "dev", "eth0"]).stdout
        assert "rate 50Mbit" in host.run(["tc", "qdisc", "show", "dev", "eth1"]).stdout


def test_a_pulled_plug_takes_the_carrier_from_both(lab: Lab) -> None:
    if type(lab.wire[0]).__name__ == "Wire":
        with pytest.raises(LabError, match="no plug"):
            lab.wire[0].unplug()
        return
    lab.wire[0].unplug()
    for host in lab.hosts:
        assert "NO-CARRIER" in link(host, "eth0")["flags"]
        assert "LOWER_UP" in link(host, "eth1")["flags"]
    lab.wire[0].plug()
    assert all("LOWER_UP" in link(host, "eth0")["flags"] for host in lab.hosts)
    for family in (4, 6):
        lab.a.await_reach(lab.b, family=family)
        assert lab.a.ping(lab.b, count=10, family=family).lost == 0


def test_a_deleted_device_comes_back_as_it_was(lab: Lab) -> None:
    before = link(lab.a, "eth1")
    for number, host in ((0, lab.a), (1, lab.a), (0, lab.b)):
        lab.wire[number].delete_device(host)
        assert f"eth{number}:" not in host.run(["ip", "link"]).stdout
        lab.wire[number].create_device(host)
    after = link(lab.a, "eth1")
    assert [before[key] for key in ("address", "mtu")] == [after[key] for key in ("address", "mtu")]
    assert "tbf" in lab.a.run(["tc", "qdisc", "show", "dev", "eth1"]).stdout
    for family in (4, 6):
        lab.a.await_reach(lab.b, family=family)
        assert lab.a.ping(lab.b, count=10, family=family).lost == 0


@pytest.mark.parametrize(
    "use", [lambda wire, _: wire.set(loss=0.5), lambda wire, _: wire.cut(), lambda wire, a: wire.counters(towards=a)]
)
def test_a_cable_has_no_emulator(use: Callable[..., object]) -> None:
    lab = Lab()
    with pytest.raises(LabError, match="emulated=True"):
        use(lab.wire[0], lab.a)
