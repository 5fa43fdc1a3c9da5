"""An interface changes under a running node: a filter comes and goes, or it gets another address of its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg import form
from alagg.lab import measure
from tests.netns.conftest import say
from tests.ports.conftest import inside
from tests.system.attach import bpf_program, nftables_chain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alagg.lab.host import Host
    from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns

NEW_MAC: Final = "02:00:00:00:77:01"


def way(status: dict[str, Any], link: str = "eth0") -> tuple[str, str]:
    """Give by what a link's frames leave, and why."""
    return next((one["sends_by"], one["sends_by_reason"]) for one in status["links"] if one["name"] == link)


def sends_by(name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda status: way(status)[0] == name


@contextmanager
def clsact(host: Host) -> Iterator[None]:
    host.tc("qdisc add dev eth0 clsact")
    yield
    host.tc("qdisc del dev eth0 clsact")


@contextmanager
def tcx(host: Host) -> Iterator[None]:
    index = int(host.run(["cat", "/sys/class/net/eth0/ifindex"]).stdout)
    with inside(host), bpf_program(index):
        yield


@contextmanager
def nftables(host: Host) -> Iterator[None]:
    with inside(host), nftables_chain("eth0", 1):
        yield


@pytest.mark.skipif(form.edges() == "plain", reason="only the compiled form has AF_XDP")
def test_filter_that_comes_sees_the_frames_and_nothing_is_lost(lab: Lab) -> None:
    node = lab.a.node
    node.wait_status(sends_by("af_xdp"))
    flows = [measure.ping(*ends, count=600, interval=0.01) for ends in (lab.hosts, lab.hosts[::-1])]
    for add, reason in (
        (clsact, "filters of tc (clsact)"), (tcx, "a BPF program (tcx)"), (nftables, "nftables (chain net out)"),
    ):  # fmt: skip
        with add(lab.a):
            assert way(node.wait_status(sends_by("af_packet"))) == ("af_packet", reason)
            assert way(node.status(), "eth1")[0] == "af_xdp", "the other link goes on as before"
        assert way(node.wait_status(sends_by("af_xdp")))[1] == "nothing orders or filters what the interface sends"
    for flow in flows:
        result = flow.result()
        say(result)
        assert (result.lost, result.duplicated) == (0, 0)


def test_own_address_that_changes_is_used_at_once(lab: Lab) -> None:
    """As soon as the other side's file says so, too, the link is back; neither port was opened anew."""
    flows = [measure.ping(*ends, count=300, interval=0.01) for ends in (lab.hosts, lab.hosts[::-1])]
    old = lab.a.mac(0)
    lab.a.ip(f"link set eth0 address {NEW_MAC}")
    other = lab.b.node
    other.config.write_text(other.config.read_text().replace(old, NEW_MAC))
    other.reload()
    other.wait_status(lambda status: any(link["mac"] == NEW_MAC for link in status["links"]))
    lab.await_links()
    for flow in flows:
        result = flow.result()
        say(result)
        assert (result.lost, result.duplicated) == (0, 0)
