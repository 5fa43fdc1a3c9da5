"""The Ethernet port on real interfaces: what passes its filter, what a full or failing link says, what is counted."""

from __future__ import annotations

import errno
import select
import socket
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

import pytest
from google_crc32c import value as crc32c

from alagg.engine.header import DATA, decode, encode
from alagg.ports.base import BATCH
from alagg.ports.ethernet import BROADCAST, ETHERNET_HEADER, EthernetPort, _filter
from tests.ports.batches import HEADER, frames_of, payloads_of
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
    from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns


def test_frames_cross_in_batches_both_ways(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    one, other = ends
    assert put(one, *(bytes([number]) * 100 for number in range(BATCH + 6))) == BATCH + 6
    assert put(other, b"back") == 1
    assert len(received(other)) == BATCH
    assert received(other) == [HEADER + bytes([number]) * 100 for number in range(BATCH, BATCH + 6)]
    assert received(one) == [HEADER + b"back"]
    assert other.receive() == []
    assert one.suffix == ethernet(b"", mac(lab.a), b"")


# --- what passes (defects 6 and 7 of the 2015 program) ----------------------------------------------------------


def test_defect_7_only_frames_from_the_peer_to_us_pass(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab, wire: socket.socket
) -> None:
    """Neither peer nor source were checked there."""
    ours, theirs = mac(lab.b), mac(lab.a)
    # Promiscuous, the interface lets frames in that are for others.
    lab.b.ip("link set eth0 promisc on")
    tag = b"\x20\x05" + ETHERTYPE.to_bytes(2, "big")
    foreign = {
        "another source": ethernet(ours, STRANGER, b"x" * 60),
        "a source that differs in its last byte": ethernet(ours, theirs[:5] + b"\xff", b"x" * 60),
        "a source that differs in its first byte": ethernet(ours, b"\x06" + theirs[1:], b"x" * 60),
        "another EtherType": ethernet(ours, theirs, b"x" * 60, 0x88B6),
        "for another host": ethernet(STRANGER, theirs, b"x" * 60),
        "broadcast": ethernet(b"\xff" * 6, theirs, b"x" * 60),
        "multicast": ethernet(b"\x01\x00\x5e\x00\x00\x01", theirs, b"x" * 60),
        # A VLAN device would get this frame without its tag, and a port on that device take it; the device below
        # it never does: the kernel marks what belongs to a VLAN as not for this host.
        "of a VLAN": ethernet(ours, theirs, tag + b"x" * 60, 0x8100),
        "of a service VLAN": ethernet(ours, theirs, tag + b"x" * 60, 0x88A8),
        "too short for anything": ours + theirs + b"\x88",
    }
    for frame in foreign.values():
        wire.send(frame.ljust(ETHERNET_HEADER, b"\0"))
    wire.send(ethernet(ours, theirs, HEADER + b"good"))
    assert received(ends[1]) == [HEADER + b"good"]


def test_frame_with_only_a_priority_passes(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab, wire: socket.socket
) -> None:
    """VLAN 0 is no VLAN: switches put it on untagged frames to carry a priority (IEEE 802.1Q, 6.9)."""
    tagged = b"\xa0\x00" + ETHERTYPE.to_bytes(2, "big") + HEADER + b"urgent"
    wire.send(ethernet(mac(lab.b), mac(lab.a), tagged, 0x8100))
    assert received(ends[1]) == [HEADER + b"urgent"]


def test_defect_6_padding_is_not_delivered(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab, wire: socket.socket
) -> None:
    """Without a length of its own, Ethernet's padding to 60 bytes was delivered as payload."""
    header = encode(DATA, 1, 0, 5, 0, 5, 0, 0, 3, crc32c(b"abc"))
    wire.send(ethernet(mac(lab.b), mac(lab.a), header + b"abc").ljust(60, b"\0"))
    (frame,) = received(ends[1])
    assert len(frame) == 60 - ETHERNET_HEADER
    assert decode(frame)[-1] == b"abc"


def test_nothing_that_was_sent_comes_back(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    with port(lab.a, mac(lab.a)) as mirror:
        put(ends[0], b"out")
        assert len(received(ends[1])) == 1
        assert mirror.receive() == []


def test_port_works_on_a_stacked_device(lab: Lab) -> None:
    """A bridge stands here for VLAN and bond devices, which the kernel treats alike: frames reach it unwrapped."""
    lab.b.ip("link add br0 type bridge", f"link set br0 address {STRANGER.hex(':')} up", "link set eth0 master br0")
    with port(lab.b, mac(lab.a), interface="br0") as bridged, port(lab.a, STRANGER) as direct:
        await_both_ways(bridged, direct)
        assert put(direct, b"to the bridge") == 1
        assert received(bridged) == [HEADER + b"to the bridge"]
        assert put(bridged, b"from the bridge") == 1
        assert received(direct) == [HEADER + b"from the bridge"]


# --- sizes ------------------------------------------------------------------------------------------------------


def test_largest_frame_passes_and_a_larger_one_is_refused(ends: tuple[EthernetPort, EthernetPort]) -> None:
    one, other = ends
    assert put(one, b"x" * 1476) == 1
    assert received(other) == [HEADER + b"x" * 1476]
    with pytest.raises(OSError, match="Message too long") as refused:
        put(one, b"x" * 1477)
    assert refused.value.errno == errno.EMSGSIZE


def test_frames_taken_before_a_refusal_are_told(ends: tuple[EthernetPort, EthernetPort]) -> None:
    one, other = ends
    batch = [b"1", b"2", b"x" * 3000, b"4"]
    assert put(one, *batch) == 2
    with pytest.raises(OSError, match="Message too long"):
        put(one, *batch[2:])
    assert received(other) == [HEADER + b"1", HEADER + b"2"]


def test_open_port_takes_the_larger_frames_of_a_larger_mtu(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    for host in lab.hosts:
        host.ip("link set eth0 mtu 9000")
    assert put(ends[0], b"x" * 8976) == 1
    assert received(ends[1]) == [HEADER + b"x" * 8976]


# --- full and failing links (defect 8) --------------------------------------------------------------------------


def test_defect_8_full_link_takes_fewer_frames_and_does_not_wait(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab
) -> None:
    """Its sends blocked, so the slowest link decided."""
    lab.a.tc("qdisc add dev eth0 root tbf rate 64kbit burst 3000 limit 6000")
    one, other = ends
    taken = put(one, *[b"x" * 1000] * BATCH)
    # At 64 kbit/s, all would take eight seconds; the bucket and the queue hold some eight frames.
    assert 1 <= taken < 20
    assert put(one, b"x" * 1000) == 0
    lab.a.tc("qdisc delete dev eth0 root")
    assert put(one, b"free again") == 1
    assert (HEADER + b"free again") in received(other)


def test_defect_8_interface_that_goes_down_is_told_both_ways(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab
) -> None:
    one, _ = ends
    lab.a.ip("link set eth0 down")
    assert select.select([one], (), (), 1)[0], "a poller wakes up"
    with pytest.raises(OSError, match="Network is down"):
        one.receive()
    with pytest.raises(OSError, match="Network is down"):
        put(one, b"x")
    lab.a.link_up(0)
    assert put(one, b"x") == 1, "nothing is broken for good"


def test_frames_that_wait_survive_the_bad_news(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    one, other = ends
    assert put(one, b"last words") == 1
    lab.b.ip("link set eth0 down")
    # The kernel tells of an error before it gives what waits; the frame is not lost for that.
    with pytest.raises(OSError, match="Network is down"):
        other.receive()
    assert received(other) == [HEADER + b"last words"]


def test_interface_that_is_deleted_is_told(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    one, _ = ends
    lab.wire[0].delete_device(lab.a)
    with pytest.raises(OSError, match="Network is down"):
        one.receive()
    with pytest.raises(OSError, match="No such device") as gone:
        put(one, b"x")
    assert gone.value.errno in (errno.ENXIO, errno.ENODEV)


def test_missing_interface_cannot_be_opened(lab: Lab) -> None:
    with inside(lab.a), pytest.raises(OSError, match="No such device"):
        EthernetPort("eth7", [STRANGER], ETHERTYPE)


def test_interface_that_is_down_is_told_at_the_first_receive(lab: Lab) -> None:
    lab.a.ip("link set eth0 down")
    with port(lab.a, STRANGER) as opened, pytest.raises(OSError, match="Network is down"):
        opened.receive()


# --- counters ---------------------------------------------------------------------------------------------------


def test_frames_that_we_were_too_slow_for_are_counted(ends: tuple[EthernetPort, EthernetPort]) -> None:
    one, other = ends
    other._receiving.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    kept = 0
    for total in (BATCH, 2 * BATCH):
        assert put(one, *[b"x" * 1000] * BATCH) == BATCH
        kept += len(payloads_of(other.receive()))
        # The kernel starts anew at each question; the port does not.
        assert other.counters() == {"rx_dropped": total - kept}
    assert 0 < kept < total
    assert other.counters() == other.counters()


def test_receive_buffer_is_large(ends: tuple[EthernetPort, EthernetPort]) -> None:
    assert ends[0]._receiving.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 8 << 20


def test_close_gives_the_descriptor_back_once(lab: Lab) -> None:
    with inside(lab.a):
        opened = EthernetPort("eth0", [STRANGER], ETHERTYPE)
    opened.close()
    opened.close()
    assert opened.fileno() == -1


# --- the filter -------------------------------------------------------------------------------------------------

MANY: Final = [bytes((2, number % 3, 0, 7, 0, number // 3)) for number in range(128)]
"""Addresses of which each three have the same lower four bytes."""


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 128])
def test_frames_of_every_peer_pass_and_of_no_other(lab: Lab, wire: socket.socket, count: int) -> None:
    ours = mac(lab.b)
    others = [bytes((3, *address[1:])) for address in MANY] + [bytes((*address[:5], 99)) for address in MANY]
    with port(lab.a, ours) as one, port(lab.b, mac(lab.a)) as other:
        await_both_ways(one, other)
        other.set_remotes(MANY[:count])
        for source in [*others, *MANY]:
            wire.send(ethernet(ours, source, HEADER + source))
        found = [arrival for arrivals in iter(other.receive, []) for arrival in arrivals]
    assert found == [(source, HEADER, [source]) for source in MANY[:count]]


def test_where_a_peer_is_to_be_found_frames_of_all_pass_and_those_to_all(lab: Lab, wire: socket.socket) -> None:
    ours = mac(lab.b)
    with port(lab.a, ours) as one, port(lab.b, mac(lab.a)) as other:
        await_both_ways(one, other)
        for number, remotes in enumerate(([STRANGER, BROADCAST], [STRANGER])):
            other.set_remotes(remotes)
            for source in (*MANY[:2], STRANGER):
                for target in (ours, BROADCAST, MANY[9]):
                    wire.send(ethernet(target, source, HEADER + target))
            found = [(source, *payloads) for batch in iter(other.receive, []) for source, _, payloads in batch]
            assert found == (
                [(STRANGER, ours)] if number else [(source, ours, BROADCAST) for source in (*MANY[:2], STRANGER)]
            )


def test_other_peers_are_taken_without_a_gap(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab, wire: socket.socket
) -> None:
    """What came under the old filter still waits, and nothing between the two gets lost or slips in."""
    ours, theirs = mac(lab.b), mac(lab.a)
    for number in range(40):
        for source in (theirs, MANY[0], STRANGER):
            wire.send(ethernet(ours, source, HEADER + bytes([number])))
        ends[1].set_remotes([theirs, MANY[number % 2]])
    arrivals = [arrival for batch in iter(ends[1].receive, []) for arrival in batch]
    assert payloads_of(one for one in arrivals if one[0] == theirs) == [bytes([number]) for number in range(40)]
    # The peer was configured in every other round: set in round 0, so its frames of 1, 3, ... passed.
    assert payloads_of(one for one in arrivals if one[0] == MANY[0]) == [bytes([n]) for n in range(1, 40, 2)]
    assert {source for source, _, _ in arrivals} == {theirs, MANY[0]}


def test_ports_that_share_an_interface_take_each_frame_once(lab: Lab, wire: socket.socket) -> None:
    """By their lanes, whoever opened first or opened anew; what is too short to have a lane goes to the first."""
    ours, theirs, count = mac(lab.b), mac(lab.a), 3
    with port(lab.a, ours) as sender, ExitStack() as stack:
        ports = {index: stack.enter_context(port(lab.b, theirs, index=index, count=count)) for index in (2, 0, 1)}
        await_both_ways(sender, ports[0])
        for anew in (0, 2, 1):
            ports[anew].close()
            ports[anew] = stack.enter_context(port(lab.b, theirs, index=anew, count=count))
            frames = [encode(DATA, 7, lane, 0, 0, 0, 0, 0, 0, 0) for lane in range(0, 256, 3 if anew else 1)]
            for frame in frames:
                wire.send(ethernet(ours, theirs, frame))
            wire.send(ethernet(ours, theirs, b"short"))
            wire.send(ethernet(ours, STRANGER, b"short"))
            taken = {index: list(iter(one.receive, [])) for index, one in ports.items()}
            for index, batches in taken.items():
                mine = [frame for batch in batches for frame in frames_of(batch)]
                assert mine == [frame for frame in frames if (frame[12] & 0x0F) % count == index]
                short = [payload for batch in batches for payload in payloads_of(batch) if payload is None]
                assert short == ([] if index else [None])


@pytest.mark.parametrize("macs", [[], [STRANGER], MANY])
@pytest.mark.parametrize("lanes", [(0, 1), (0, 2), (1, 2), (15, 16)])
def test_filter_program_is_well_formed(macs: list[bytes], lanes: tuple[int, int]) -> None:
    """Every jump ends inside the program: a wrong one would be refused, or would let frames in."""
    program = _filter(macs, ETHERTYPE, lanes)
    assert program[-1] == (0x06, 0, 0, 0)
    for index, (code, if_true, if_false, operand) in enumerate(program):
        branches = dict.fromkeys((0x15, 0x25, 0x35), (if_true, if_false))
        jumps = (operand,) if code == 0x05 else branches.get(code, ())
        assert all(index + 1 + jump < len(program) for jump in jumps)
        assert max(if_true, if_false) < 256


def test_more_peers_than_a_filter_holds_are_refused(lab: Lab) -> None:
    macs = [number.to_bytes(6, "big") for number in range(1000)]
    with inside(lab.a), pytest.raises(OSError, match="too many peers"):
        EthernetPort("eth0", macs, ETHERTYPE)
