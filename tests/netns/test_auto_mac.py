"""Links with `mac = auto` on the real kernel: the peer is found, and followed to another address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alagg.lab.host import Host

pytestmark = [pytest.mark.netns, pytest.mark.beside]

NEW_MAC: Final = "02:00:00:00:77:01"


class AutoLab(Lab):
    """Some hosts are not told the address of their peer."""

    def __init__(self, *searching: str) -> None:
        super().__init__(2)
        self._searching = searching

    def config(self, host: Host, peer: Host, options: Mapping[str, Any]) -> str:
        text = super().config(host, peer, options)
        if host.letter not in self._searching:
            return text
        return "\n".join("mac = auto" if line.startswith("mac") else line for line in text.splitlines()) + "\n"


def macs(host: Host) -> list[str]:
    """Give where a host's frames go, by link."""
    return [link["mac"] for link in host.node.status()["links"]]


def cross(lab: Lab) -> None:
    for family in (4, 6):
        result = lab.a.ping(lab.b, count=20, family=family)
        assert (result.received, result.duplicated) == (20, 0)


@pytest.mark.parametrize(("searching", "workers"), [("a", 1), ("ab", 2)], ids=["one side", "both, two workers"])
def test_peer_is_found_and_followed_to_another_address(searching: str, workers: int) -> None:
    with AutoLab(*searching) as lab:
        lab.start_nodes({"workers": workers})
        lab.await_links(timeout=30)
        assert macs(lab.a) == [lab.b.mac(0), lab.b.mac(1)]
        assert macs(lab.b) == [lab.a.mac(0), lab.a.mac(1)]
        cross(lab)
        lab.b.ip("link set dev eth0 down")
        lab.b.ip(f"link set dev eth0 address {NEW_MAC}")
        lab.b.ip("link set dev eth0 up")
        lab.a.node.wait_status(lambda status: status["links"][0]["mac"] == NEW_MAC, timeout=30)
        lab.await_links("up", "wary", timeout=30)
        cross(lab)
        lab.stop_nodes()


def test_nobody_is_found_whose_networks_are_not_the_peer_s() -> None:
    with AutoLab("a") as lab:
        lab.configure()
        text = lab.a.node.config.read_text()
        lab.a.node.config.write_text(text.replace(lab.b.ipv4, "10.99.0.77").replace(lab.b.ipv6, "fd99::77"))
        lab.begin_nodes()
        lab.a.node.wait_status(lambda status: status["drops"]["stranger_unknown"] > 3, timeout=30)
        status = lab.a.node.status()
        assert {(link["state"], link["reason"], link["mac"]) for link in status["links"]} == {
            ("down", "it looks for the peer's MAC address", "auto")
        }
        lab.stop_nodes()
