"""UDP links on the real kernel: both families, through a NAT that forgets its mapping, alone and beside Ethernet."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from pyroute2.netlink.nfnetlink.nfctsocket import NFCTSocket

from alagg.lab import measure
from alagg.lab.topology import Lab
from tests.netns.conftest import say
from tests.ports.conftest import inside

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alagg.lab.host import Host
    from alagg.lab.measure import Family

pytestmark = pytest.mark.netns

NAT: Final = "POSTROUTING -o eth0 -p udp -j SNAT --to-source 10.99.0.1"


class UdpLab(Lab):
    """Host b waits for host a on a UDP link over eth0; with `beside`, eth1 is an Ethernet link."""

    def __init__(self, family: Family = 4, *, beside: bool = False, bound: bool = True) -> None:
        super().__init__(2, direct=True)
        self._family, self._beside, self._bound = family, beside, bound

    def config(self, host: Host, peer: Host, options: Mapping[str, Any]) -> str:
        remote = f"{peer.ipv4}:7311" if self._family == 4 else f"[{peer.ipv6}]:7311"
        node = {"control_socket": host.node.socket, **options}
        lines = ["[alagg]", *(f"{key} = {value}" for key, value in node.items())]
        lines += [f"[peer {peer.letter}]", f"destinations = {peer.ipv4}, {peer.ipv6}"]
        if self._beside:
            lines += ["[link eth1]", "interface = eth1", f"mac = {peer.mac(1)}"]
        lines += ["[link wan]", "type = udp", *(["interface = eth0"] if self._bound else [])]
        return "\n".join([*lines, f"remote = {remote}" if host is self.a else "local = [::]:7311", ""])


def address(lab: Lab) -> str:
    """Give where host b's frames to host a go."""
    return next(str(link["address"]) for link in lab.b.node.status()["links"] if link["type"] == "udp")


@pytest.mark.parametrize("family", [4, 6])
def test_packets_cross_although_the_remote_lies_in_destinations(family: Family) -> None:
    with UdpLab(family, bound=False) as lab:
        lab.start_nodes()
        lab.await_links()
        for inner in (4, 6):
            result = lab.a.ping(lab.b, count=50, family=inner)
            assert (result.received, result.duplicated) == (50, 0)
            transfer = lab.b.transfer(lab.a, size=5_000_000, family=inner)
            assert (transfer.intact, transfer.problem) == (True, "")
        assert lab.a.node.status()["drops"]["no_peer"] == 0
        lab.stop_nodes()


@pytest.mark.parametrize("beside", [False, True], ids=["alone", "beside"])
def test_link_goes_on_when_a_nat_forgets_its_mapping(beside: bool) -> None:  # noqa: FBT001
    with UdpLab(beside=beside) as lab:
        lab.a.run(["iptables", "-t", "nat", "-A", *f"{NAT}:50001".split()])
        lab.start_nodes()
        lab.await_links()
        assert address(lab) == "10.99.0.1:50001"
        pings = measure.ping(lab.a, lab.b, count=400, interval=0.01)
        time.sleep(1.5)
        lab.a.run(["iptables", "-t", "nat", "-D", *f"{NAT}:50001".split()])
        lab.a.run(["iptables", "-t", "nat", "-A", *f"{NAT}:50002".split()])
        with inside(lab.a), NFCTSocket() as conntrack:
            conntrack.flush()
        result = pings.result()
        say(result)
        assert result.duplicated == 0
        assert result.received == 400 if beside else result.received >= 300
        assert address(lab) == "10.99.0.1:50002"
        lab.stop_nodes()


class RoutedLab(UdpLab):
    """Between the hosts is a router; the packets that cross are for addresses that it does not know."""

    def __init__(self, family: Family) -> None:
        Lab.__init__(self, 1)
        self._family, self._beside, self._bound = family, False, True

    def config(self, host: Host, peer: Host, options: Mapping[str, Any]) -> str:
        text = super().config(host, peer, options)
        outer = {self.a: ("10.97.1.2", "fd97:1::2"), self.b: ("10.97.2.2", "fd97:2::2")}[peer]
        remote = f"{outer[0]}:7311" if self._family == 4 else f"[{outer[1]}]:7311"
        return "\n".join(f"remote = {remote}" if line.startswith("remote") else line for line in text.splitlines())

    def route(self) -> None:
        """Make a router of what patches the hosts together."""
        self.middle.sysctl({
            "net.ipv4.ip_forward": 1, "net.ipv6.conf.all.disable_ipv6": 0, "net.ipv6.conf.all.forwarding": 1,
        })  # fmt: skip
        for number, host in enumerate(self.hosts, 1):
            end = f"{host.letter}0"
            self.middle.run(["tc", "qdisc", "del", "dev", end, "clsact"])
            self.middle.sysctl({f"net.ipv6.conf.{end}.disable_ipv6": 0})
            self.middle.ip(f"addr add 10.97.{number}.1/24 dev {end}", f"addr add fd97:{number}::1/64 dev {end} nodad")
            host.ip(
                f"addr add 10.97.{number}.2/24 dev eth0", f"addr add fd97:{number}::2/64 dev eth0 nodad",
                f"route add 10.97.0.0/16 via 10.97.{number}.1", f"route add fd97::/16 via fd97:{number}::1",
            )  # fmt: skip


@pytest.mark.beside
@pytest.mark.parametrize("family", [4, 6])
def test_path_whose_mtu_falls_goes_on(family: Family) -> None:
    """The router tells of it the first time, and keeps silent the second time."""
    with RoutedLab(family) as lab:
        lab.route()
        lab.start_nodes()
        lab.await_links(timeout=30)
        told_by = "iptables -A OUTPUT -p icmp" if family == 4 else "ip6tables -A OUTPUT -p icmpv6 --icmpv6-type 2"
        around = 28 if family == 4 else 48
        for mtu, told in ((1400, True), (1300, False)):
            if not told:
                lab.middle.run([*told_by.split(), "-j", "DROP"])
            for host in lab.hosts:
                lab.middle.ip(f"link set {host.letter}0 mtu {mtu}")
            for host in lab.hosts:
                host.node.wait_status(lambda status: status["links"][0]["path_mtu"] == mtu - around, timeout=30)  # noqa: B023
            for inner in (4, 6):
                result = lab.a.ping(lab.b, count=20, family=inner, size=1350)
                assert (result.received, result.duplicated) == (20, 0)
            transfer = lab.a.transfer(lab.b, size=2_000_000, family=4)
            assert (transfer.intact, transfer.problem) == (True, "")
        lab.stop_nodes()
