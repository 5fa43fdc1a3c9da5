"""The Ethernet port on real interfaces: what passes its filter, what a full or failing link says, what is counted."""

from __future__ import annotations

import errno
import select
import socket
import struct
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import pytest
from google_crc32c import value as crc32c

from alagg.engine.header import DATA, decode, encode
from alagg.ports.base import BATCH
from alagg.ports.ethernet import ETHERNET_HEADER, EthernetPort, _filter
from tests.ports.conftest import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.host import Host
    from alagg.lab.topology import Lab

pytestmark = pytest.mark.netns

ETHERTYPE: Final = 0x88B5
STRANGER: Final = bytes.fromhex("020000009999")


def mac(host: Host) -> bytes:
    return bytes.fromhex(host.mac(0).replace(":", ""))


@contextmanager
def port(
    host: Host, peer: bytes, interface: str = "eth0", *, index: int = 0, count: int = 1
) -> Iterator[EthernetPort]:
    with inside(host):
        opened = EthernetPort(interface, peer, ETHERTYPE, index, count)
    try:
        yield opened
    finally:
        opened.close()


@pytest.fixture
def ends(lab: Lab) -> Iterator[tuple[EthernetPort, EthernetPort]]:
    """Give both ends of the link."""
    with port(lab.a, mac(lab.b)) as one, port(lab.b, mac(lab.a)) as other:
        await_both_ways(one, other)
        yield one, other


@pytest.fixture
def wire(lab: Lab) -> Iterator[socket.socket]:
    """Give a socket that puts any frame on the wire at host a."""
    with inside(lab.a), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as opened:
        opened.bind(("eth0", 0))
        yield opened


def frames(*payloads: bytes) -> tuple[list[bytes], list[bytes]]:
    return [b"H" * 24 for _ in payloads], list(payloads)


def received(port: EthernetPort) -> list[bytes]:
    """Give what the port received, without the Ethernet headers; wait a moment for the first frame."""
    select.select([port], (), (), 1)
    return [frame[port.offset :] for frame in port.receive()]


def await_both_ways(one: EthernetPort, other: EthernetPort) -> None:
    """Wait until frames cross: for a moment after the carrier has come, the kernel takes them and drops them."""
    for source, target in ((one, other), (other, one)):
        for _ in range(1000):
            assert source.send(*frames(b"?")) == 1
            if select.select([target], (), (), 0.01)[0]:
                break
        while target.receive():
            pass


def ethernet(destination: bytes, source: bytes, body: bytes, ethertype: int = ETHERTYPE) -> bytes:
    return destination + source + ethertype.to_bytes(2, "big") + body


def test_frames_cross_in_batches_both_ways(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    one, other = ends
    assert one.send(*frames(*(bytes([number]) * 100 for number in range(BATCH + 6)))) == BATCH + 6
    assert other.send(*frames(b"back")) == 1
    assert len(received(other)) == BATCH
    assert received(other) == [b"H" * 24 + bytes([number]) * 100 for number in range(BATCH, BATCH + 6)]
    assert received(one) == [b"H" * 24 + b"back"]
    assert other.receive() == []
    assert one.prefix == ethernet(mac(lab.b), mac(lab.a), b"")
    assert len(one.prefix) == one.offset == ETHERNET_HEADER


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
    wire.send(ethernet(ours, theirs, b"good"))
    assert received(ends[1]) == [b"good"]


def test_frame_with_only_a_priority_passes(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab, wire: socket.socket
) -> None:
    """VLAN 0 is no VLAN: switches put it on untagged frames to carry a priority (IEEE 802.1Q, 6.9)."""
    tagged = b"\xa0\x00" + ETHERTYPE.to_bytes(2, "big") + b"urgent"
    wire.send(ethernet(mac(lab.b), mac(lab.a), tagged, 0x8100))
    assert received(ends[1]) == [b"urgent"]


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
        ends[0].send(*frames(b"out"))
        assert len(received(ends[1])) == 1
        assert mirror.receive() == []


def test_port_works_on_a_stacked_device(lab: Lab) -> None:
    """A bridge stands here for VLAN and bond devices, which the kernel treats alike: frames reach it unwrapped."""
    lab.b.ip("link add br0 type bridge", f"link set br0 address {STRANGER.hex(':')} up", "link set eth0 master br0")
    with port(lab.b, mac(lab.a), "br0") as bridged, port(lab.a, STRANGER) as direct:
        await_both_ways(bridged, direct)
        assert direct.send(*frames(b"to the bridge")) == 1
        assert received(bridged) == [b"H" * 24 + b"to the bridge"]
        assert bridged.send(*frames(b"from the bridge")) == 1
        assert received(direct) == [b"H" * 24 + b"from the bridge"]


# --- sizes ------------------------------------------------------------------------------------------------------


def test_largest_frame_passes_and_a_larger_one_is_refused(ends: tuple[EthernetPort, EthernetPort]) -> None:
    one, other = ends
    assert one.mtu == 1500
    assert one.send(*frames(b"x" * 1476)) == 1
    assert received(other) == [b"H" * 24 + b"x" * 1476]
    with pytest.raises(OSError, match="Message too long") as refused:
        one.send(*frames(b"x" * 1477))
    assert refused.value.errno == errno.EMSGSIZE


def test_frames_taken_before_a_refusal_are_told(ends: tuple[EthernetPort, EthernetPort]) -> None:
    one, other = ends
    batch = [b"1", b"2", b"x" * 3000, b"4"]
    assert one.send(*frames(*batch)) == 2
    with pytest.raises(OSError, match="Message too long"):
        one.send(*frames(*batch[2:]))
    assert received(other) == [b"H" * 24 + b"1", b"H" * 24 + b"2"]


def test_open_port_takes_the_larger_frames_of_a_larger_mtu(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    for host in lab.hosts:
        host.ip("link set eth0 mtu 9000")
    assert ends[0].send(*frames(b"x" * 8976)) == 1
    assert received(ends[1]) == [b"H" * 24 + b"x" * 8976]


# --- full and failing links (defect 8) --------------------------------------------------------------------------


def test_defect_8_full_link_takes_fewer_frames_and_does_not_wait(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab
) -> None:
    """Its sends blocked, so the slowest link decided."""
    lab.a.tc("qdisc add dev eth0 root tbf rate 64kbit burst 3000 limit 6000")
    one, other = ends
    taken = one.send(*frames(*[b"x" * 1000] * BATCH))
    # At 64 kbit/s, all would take eight seconds; the bucket and the queue hold some eight frames.
    assert 1 <= taken < 20
    assert one.send(*frames(b"x" * 1000)) == 0
    lab.a.tc("qdisc delete dev eth0 root")
    assert one.send(*frames(b"free again")) == 1
    assert (b"H" * 24 + b"free again") in received(other)


def test_defect_8_interface_that_goes_down_is_told_both_ways(
    ends: tuple[EthernetPort, EthernetPort], lab: Lab
) -> None:
    one, _ = ends
    lab.a.ip("link set eth0 down")
    assert select.select([one], (), (), 1)[0], "a poller wakes up"
    with pytest.raises(OSError, match="Network is down"):
        one.receive()
    with pytest.raises(OSError, match="Network is down"):
        one.send(*frames(b"x"))
    lab.a.link_up(0)
    assert one.send(*frames(b"x")) == 1, "nothing is broken for good"


def test_frames_that_wait_survive_the_bad_news(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    one, other = ends
    assert one.send(*frames(b"last words")) == 1
    lab.b.ip("link set eth0 down")
    # The kernel tells of an error before it gives what waits; the frame is not lost for that.
    with pytest.raises(OSError, match="Network is down"):
        other.receive()
    assert received(other) == [b"H" * 24 + b"last words"]


def test_interface_that_is_deleted_is_told(ends: tuple[EthernetPort, EthernetPort], lab: Lab) -> None:
    one, _ = ends
    lab.wire[0].delete_device(lab.a)
    with pytest.raises(OSError, match="Network is down"):
        one.receive()
    with pytest.raises(OSError, match="No such device") as gone:
        one.send(*frames(b"x"))
    assert gone.value.errno in (errno.ENXIO, errno.ENODEV)


def test_missing_interface_cannot_be_opened(lab: Lab) -> None:
    with inside(lab.a), pytest.raises(OSError, match="No such device"):
        EthernetPort("eth7", STRANGER, ETHERTYPE)


def test_interface_that_is_down_is_told_at_the_first_receive(lab: Lab) -> None:
    lab.a.ip("link set eth0 down")
    with port(lab.a, STRANGER) as opened, pytest.raises(OSError, match="Network is down"):
        opened.receive()


# --- counters ---------------------------------------------------------------------------------------------------


def test_frames_that_we_were_too_slow_for_are_counted(ends: tuple[EthernetPort, EthernetPort]) -> None:
    one, other = ends
    other._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    kept = 0
    for total in (BATCH, 2 * BATCH):
        assert one.send(*frames(*[b"x" * 1000] * BATCH)) == BATCH
        kept += len(other.receive())
        # The kernel starts anew at each question; the port does not.
        assert other.counters() == {"rx_dropped": total - kept}
    assert 0 < kept < total
    assert other.counters() == other.counters()


def test_receive_buffer_is_large(ends: tuple[EthernetPort, EthernetPort]) -> None:
    assert ends[0]._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= 8 << 20


def test_close_gives_the_descriptor_back_once(lab: Lab) -> None:
    with inside(lab.a):
        opened = EthernetPort("eth0", STRANGER, ETHERTYPE)
    opened.close()
    opened.close()
    assert opened.fileno() == -1


@pytest.mark.parametrize(("index", "count"), [(0, 1), (0, 2), (1, 2), (15, 16)])
def test_filter_program_is_well_formed(index: int, count: int) -> None:
    """Every jump ends inside the program: a wrong one would be refused, or would let frames in."""
    program = list(struct.iter_unpack("=HBBI", _filter(STRANGER, ETHERTYPE, index, count)))
    keep, drop = len(program) - 2, len(program) - 1
    assert [code for code, _, _, _ in program[keep:]] == [0x06, 0x06]
    assert (program[keep][3], program[drop][3]) == (0xFFFFFFFF, 0)
    for place, (code, if_true, if_false, _) in enumerate(program):
        if code == 0x15:
            assert (if_true, place + 1 + if_false) == (0, drop)
        if code == 0x25:  # too short for a lane
            assert (if_true, place + 1 + if_false) == (0, drop if index else keep)


def test_ports_that_share_an_interface_take_each_frame_once(lab: Lab) -> None:
    """By their lanes, whoever opened first or opened anew; what is too short to have a lane goes to the first."""
    count = 3
    with port(lab.a, mac(lab.b)) as sender, ExitStack() as stack:
        ports = {
            index: stack.enter_context(port(lab.b, mac(lab.a), index=index, count=count)) for index in (2, 0, 1)
        }
        await_both_ways(sender, ports[0])
        for anew in (0, 2, 1):
            ports[anew].close()
            ports[anew] = stack.enter_context(port(lab.b, mac(lab.a), index=anew, count=count))
            headers = [encode(DATA, 7, lane, 0, 0, 0, 0, 0, 0, 0) for lane in range(256)]
            assert sender.send([*headers, b"short"], [b""] * 257) == 257
            taken = {index: [*received(one), *received(one)] for index, one in ports.items()}
            assert taken.pop(0) == [*headers[0::count], b"short"]
            assert taken == {index: headers[index::count] for index in (1, 2)}
