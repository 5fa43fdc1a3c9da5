"""The Ethernet port while its interface or its process changes, and by which way it sends."""

from __future__ import annotations

import os
import resource
import threading
import time
from typing import TYPE_CHECKING, Final

import pytest

from alagg import form
from alagg.ports.ethernet import XDP_ATTEMPTS, EthernetPort
from alagg.worker import RETRY
from tests.ports.batches import HEADER, send
from tests.ports.conftest import (
    ETHERTYPE,
    STRANGER,
    await_both_ways,
    ethernet,
    inside,
    mac,
    port,
    put,
    received,
)

if TYPE_CHECKING:
    from alagg.lab.host import Host
    from alagg.lab.topology import Lab

OTHER: Final = bytes.fromhex("020000008888")

pytestmark = pytest.mark.netns

# --- what the process or the interface may become ---------------------------------------------------------------


def test_interface_that_changes_its_own_address_goes_on(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab
) -> None:
    """The other side's configuration says the same; what comes to the old address is not ours any more."""
    one, other = ends
    lab.a.ip(f"link set eth0 address {STRANGER.hex(':')}")
    one.set_own_mac(STRANGER)
    put(one, b"not configured yet")
    other.set_remotes([STRANGER])
    put(one, b"out")
    assert received(other) == [HEADER + b"out"]
    send(other, b"back", remote=STRANGER)
    assert received(one) == [HEADER + b"back"]
    assert one.suffix == ethernet(b"", STRANGER, b"")
    one.set_remotes([mac(lab.b), OTHER])
    assert set(one._prefixes.values()) == {mac(lab.b) + one.suffix, OTHER + one.suffix}


@pytest.mark.parametrize("left", [0, 1])
def test_process_without_descriptors_is_told_and_keeps_none(lab: Lab, left: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with inside(lab.a):
        lowest = os.dup(0)
        os.close(lowest)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + left, before[1]))
        try:
            with pytest.raises(OSError, match="Too many open files"):
                EthernetPort("eth0", [STRANGER], ETHERTYPE)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert os.dup(0) == lowest
        os.close(lowest)


def test_process_without_threads_sends_by_its_socket_and_closes(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    set_bypass(ends[1], lab.b, allowed=True)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    bypass(ends[0], lab.a)
    assert ends[0].sends_by == ("af_packet", "AF_XDP: there can be no more threads")
    assert put(ends[0], b"by the socket") == 1
    assert received(ends[1]) == [HEADER + b"by the socket"]
    ends[1].close()
    assert ends[1].fileno() == -1


# --- AF_XDP -----------------------------------------------------------------------------------------------------


def test_frames_that_pass_the_queues_arrive_alike(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    one, other = ends
    for allowed in (True, False, True):
        set_bypass(one, lab.a, allowed=allowed)
        assert (one._xdp is not None) == (allowed and can_bypass())
        if can_bypass():
            assert one.sends_by == ("af_xdp" if allowed else "af_packet", "as told")
        assert put(one, b"a" * 1476, b"", b"b") == 3
        assert received(other) == [HEADER + b"a" * 1476, HEADER, HEADER + b"b"]


def bypass(port: EthernetPort, host: Host, *, allowed: bool = True, mtu: int = 1500) -> None:
    """Let a port pass the queues: the socket that it opens for that must not be in the tester's own namespace."""
    with inside(host):
        port.bypass_queues(allowed=allowed, reason="as told", mtu=mtu)
    if port._opener.ident is not None:
        port._opener.join()


def set_bypass(port: EthernetPort, host: Host, *, allowed: bool) -> None:
    """Do what the worker does: ask again, at intervals, for a queue that the kernel has not given back yet."""
    for _ in range(XDP_ATTEMPTS):
        bypass(port, host, allowed=allowed)
        if (port._xdp is not None) == (allowed and can_bypass()):
            return
        time.sleep(RETRY)


def can_bypass() -> bool:
    return form.edges() == "compiled"


def test_interface_with_large_frames_keeps_to_its_queues(lab: Lab) -> None:
    for host in lab.hosts:
        host.ip("link set eth0 mtu 9000")
    with port(lab.a, mac(lab.b)) as one, port(lab.b, mac(lab.a)) as other:
        await_both_ways(one, other)
        bypass(one, lab.a, mtu=9000)
        assert one.sends_by == ("af_packet", "the MTU is above 2034")
        assert put(one, b"x" * 8976) == 1
        assert received(other) == [HEADER + b"x" * 8976]


def test_second_worker_on_an_interface_sends_by_its_socket(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    """An interface's queue has one owner; the others lose nothing but speed."""
    bypass(ends[0], lab.a)
    with port(lab.a, mac(lab.b)) as second:
        bypass(second, lab.a)
        assert second._xdp is None
        why = "Device or resource busy" if can_bypass() else "only the compiled form has it"
        assert second.sends_by == ("af_packet", f"AF_XDP: {why}")
        assert put(second, b"second") == 1
    assert received(ends[1]) == [HEADER + b"second"]


def test_queue_that_somebody_keeps_is_not_asked_for_for_ever(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab
) -> None:
    bypass(ends[0], lab.a)
    with port(lab.a, mac(lab.b)) as second:
        for _ in range(XDP_ATTEMPTS + 3):
            bypass(second, lab.a)
        assert second._xdp_attempts == XDP_ATTEMPTS
        bypass(second, lab.a, allowed=False)
        assert second._xdp_attempts == 0


def test_link_that_goes_down_is_told_past_its_queues_too(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab
) -> None:
    one, _ = ends
    bypass(one, lab.a)
    lab.a.ip("link set eth0 down")
    with pytest.raises(OSError, match="Network is down"):
        put(one, b"x")
