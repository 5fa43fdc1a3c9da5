"""Hosts: addresses and routes come back with an interface, as an administrator's tools would bring them."""

from __future__ import annotations

from pathlib import Path

import pytest

from alagg.lab.host import Host
from alagg.lab.topology import Lab


def test_macs_are_unicast_local_and_differ() -> None:
    hosts = [Host("n", letter=letter, ipv4="", ipv6="", config=Path("/x.cfg")) for letter in "abAB"]
    macs = [host.mac(number) for host in hosts for number in range(16)]
    assert len(set(macs)) == len(macs)
    assert {int(mac[:2], 16) & 3 for mac in macs} == {2}


def test_an_address_is_chosen_by_family() -> None:
    host = Host("n", letter="a", ipv4="10.99.0.1", ipv6="fd99::1", config=Path("/x.cfg"))
    assert (host.address(4), host.address(6)) == ("10.99.0.1", "fd99::1")


@pytest.mark.netns
def test_what_the_kernel_forgets_of_an_interface_that_goes_down_comes_back() -> None:
    def known() -> str:
        shown = ("-br address show eth0", "route", "-6 route")
        return "\n".join(lab.a.run(["ip", *what.split()]).stdout for what in shown)

    with Lab(links=2, lans=True) as lab:
        before = known()
        assert "fd99::1/64" in before
        assert "10.98.2.0/24" in before
        lab.a.link_down(0)
        assert "fd99::1/64" not in known()
        lab.a.link_up(0)
        assert sorted(known().split()) == sorted(before.split())
