"""The capture on a real NFQUEUE: whole packets, one verdict for all, and the kernel's losses counted."""

from __future__ import annotations

import errno
import os
import select
import socket
import struct
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final, cast

import pytest

from alagg.engine.mss import SegmentLimits
from alagg.ports import nfqueue
from alagg.ports.base import BATCH
from alagg.ports.netlink import SUBSYSTEM, request
from alagg.ports.nfqueue import MAX_PAYLOAD, QUEUE_LENGTH, NfqueueCapture
from tests.packets import checksum
from tests.ports.conftest import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.host import Host
    from alagg.lab.topology import Lab
    from alagg.ports.netlink import Reader

pytestmark = pytest.mark.netns

_SO_SNDBUFFORCE: Final = 32
QUEUE: Final = 7
UDP: Final = 8
MSG_CONFIG: Final = SUBSYSTEM | 2
HEADERS: Final = {4: 20 + UDP, 6: 40 + UDP}


def hand_over(host: Host, queue: int = QUEUE) -> None:
    """Let the kernel hand what goes to the other host to a queue."""
    for command, destination in (("iptables-legacy", "10.99.0.2"), ("ip6tables-legacy", "fd99::2")):
        rule = ["-A", "OUTPUT", "-d", destination, "-p", "udp", "-j", "NFQUEUE", "--queue-num", str(queue)]
        host.run([command, *rule])


@contextmanager
def captured(host: Host, queue: int = QUEUE, *, super_packets: bool = False) -> Iterator[NfqueueCapture]:
    """Capture inside a host; `/proc` is that host's, too, as long as it lasts."""
    with inside(host):
        opened = NfqueueCapture(queue, super_packets=super_packets)
        try:
            yield opened
        finally:
            opened.close()


@pytest.fixture
def capture(lab: Lab) -> Iterator[NfqueueCapture]:
    hand_over(lab.a)
    with captured(lab.a) as opened:
        yield opened


@pytest.fixture
def senders(capture: NfqueueCapture) -> Iterator[dict[int, socket.socket]]:
    """Give a UDP socket of each family inside host a, connected to host b."""
    families = {4: (socket.AF_INET, "10.99.0.2"), 6: (socket.AF_INET6, "fd99::2")}
    opened: dict[int, socket.socket] = {}
    for number, (family, address) in families.items():
        opened[number] = socket.socket(family, socket.SOCK_DGRAM)
        opened[number].connect((address, 9))
        # Packets that wait in the queue count against their sender.
        opened[number].setsockopt(socket.SOL_SOCKET, _SO_SNDBUFFORCE, 256 << 20)
    yield opened
    for sender in opened.values():
        sender.close()


def waiting(queue: int = QUEUE) -> int:
    """Give how many packets the kernel holds for a verdict."""
    for line in nfqueue.PROC_FILE.read_text().splitlines():
        fields = line.split()
        if int(fields[0]) == queue:
            return int(fields[2])
    raise AssertionError(f"queue {queue} is gone")


def take(capture: NfqueueCapture) -> list[bytes]:
    """Take all that waits."""
    packets: list[bytes] = []
    while select.select([capture], (), (), 0)[0]:
        packets += capture.receive()
        capture.settle()
    return packets


# --- whole packets (defect 9 of the 2015 program) ---------------------------------------------------------------


@pytest.mark.parametrize("family", [4, 6])
def test_defect_9_packets_of_any_size_and_both_families_come_whole(
    capture: NfqueueCapture, senders: dict[int, socket.socket], family: int
) -> None:
    """It knew only IPv4, and only queue 0; the library alone cuts at 4,016 bytes without a word."""
    for size in (0, 1, 1472, 1473, 4000, 4017, 8000, 32_000, 65_000, MAX_PAYLOAD - HEADERS[family]):
        payload = bytes(number % 251 for number in range(size))
        senders[family].send(payload)
        (packet,) = take(capture)
        assert packet[0] >> 4 == family
        assert len(packet) == HEADERS[family] + size
        assert packet[HEADERS[family] :] == payload
    assert capture.counters()["dropped_oversize"] == 0


@pytest.mark.parametrize("family", [4, 6])
def test_packet_larger_than_the_queue_can_say_is_refused_not_cut(
    capture: NfqueueCapture, senders: dict[int, socket.socket], family: int
) -> None:
    largest = {4: 65_535 - HEADERS[4], 6: 65_575 - HEADERS[6]}[family]
    for size in (MAX_PAYLOAD - HEADERS[family] + 1, largest):
        senders[family].send(bytes(size))
    senders[family].send(b"next")
    (packet,) = take(capture)
    assert packet.endswith(b"next")
    counters = capture.counters()
    assert (counters["captured"], counters["dropped_oversize"], counters["dropped_malformed"]) == (3, 2, 0)


def test_defect_9_queue_number_is_a_choice(lab: Lab) -> None:
    hand_over(lab.a, 65_535)
    with captured(lab.a, 65_535) as opened, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("10.99.0.2", 9))
        assert len(take(opened)) == 1


def test_checksums_are_complete(capture: NfqueueCapture, senders: dict[int, socket.socket]) -> None:
    """The card that would have finished them is never reached."""
    for size in (5, 1400, 20_000):
        senders[4].send(bytes(range(5)) * (size // 5))
        (packet,) = take(capture)
        pseudo = packet[12:20] + struct.pack(">BBH", 0, socket.IPPROTO_UDP, len(packet) - 20)
        assert checksum(pseudo + packet[20:]) == 0
        assert checksum(packet[:20]) == 0


def taken_from_tcp(lab: Lab, capture: NfqueueCapture, family: int, payload: bytes) -> list[bytes]:
    """Send on a connection whose data the queue takes; give what the queue gave."""
    command, destination = {4: ("iptables-legacy", "10.99.0.2"), 6: ("ip6tables-legacy", "fd99::2")}[family]
    lab.a.run([command, "-A", "OUTPUT", "-p", "tcp", "--dport", "99", "-m", "length", "--length", "200:",
               "-j", "NFQUEUE", "--queue-num", str(capture.queue)])
    with inside(lab.b):
        server = socket.create_server((destination, 99), family=socket.AF_INET if family == 4 else socket.AF_INET6)
    with server, socket.create_connection((destination, 99), timeout=5) as sender:
        sender.send(payload)
        assert select.select([capture], (), (), 5)[0]
        return take(capture)


def test_tcp_comes_in_segments_that_fit_the_wire(lab: Lab, capture: NfqueueCapture) -> None:
    """Without NFQA_CFG_F_GSO the kernel cuts what it would have left to the card."""
    packets = taken_from_tcp(lab, capture, 4, bytes(10_000))
    assert len(packets) > 1
    assert max(map(len, packets)) == 1500
    assert capture.counters()["super_packets"] == 0


class Wide(SegmentLimits):
    """Receivers that take anything."""

    def size(self, packet: bytes) -> int:
        return 65_535


@pytest.mark.parametrize("family", [4, 6])
def test_super_packets_of_an_unknown_connection_are_cut_to_what_everybody_takes(lab: Lab, family: int) -> None:
    with captured(lab.a, QUEUE, super_packets=True) as capture:
        capture.segment_size = 1400
        packets = taken_from_tcp(lab, capture, family, bytes(9000))
    assert max(map(len, packets)) == {4: 576, 6: 1280}[family]


@pytest.mark.parametrize("family", [4, 6])
def test_super_packets_are_cut_to_the_size_that_was_asked_for(
    lab: Lab, family: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nfqueue, "LIMITS", Wide())
    payload = bytes(number % 251 for number in range(9000))
    with captured(lab.a, QUEUE, super_packets=True) as capture:
        capture.segment_size = 1400
        packets = taken_from_tcp(lab, capture, family, payload)
        counters = capture.counters()
    headers = {4: 20, 6: 40}[family] + 32  # TCP with timestamps
    sequences = [int.from_bytes(packet[headers - 28 : headers - 24], "big") for packet in packets]
    for sequence, packet in zip(sequences, packets, strict=True):  # on a slow machine TCP may have sent some again
        at = (sequence - sequences[0]) % 2**32
        assert packet[headers:] == payload[at : at + len(packet) - headers]
    assert max(map(len, packets)) == 1400
    for packet in packets:
        assert_complete(packet, headers - 32)
    # What came as one counts as what it became.
    assert counters["captured"] == len(packets) > counters["super_packets"] > 0


def assert_complete(packet: bytes, start: int) -> None:
    """Hold the checksum of a TCP segment to the pseudo-header's definition."""
    addresses = packet[12:20] if start == 20 else packet[8:40]
    pseudo = addresses + struct.pack(">II", len(packet) - start, socket.IPPROTO_TCP)
    assert checksum(pseudo + packet[start:]) == 0
    assert start == 40 or checksum(packet[:20]) == 0


# --- verdicts ---------------------------------------------------------------------------------------------------


def test_one_verdict_for_a_batch_empties_the_kernels_queue(
    capture: NfqueueCapture, senders: dict[int, socket.socket]
) -> None:
    for number in range(BATCH + 10):
        senders[4].send(b"%d" % number)
    assert waiting() == BATCH + 10
    assert [int(packet[28:]) for packet in capture.receive()] == list(range(BATCH))
    assert waiting() == BATCH + 10, "the frames leave first"
    capture.settle()
    assert waiting() == 10
    assert [int(packet[28:]) for packet in capture.receive()] == list(range(BATCH, BATCH + 10))
    capture.settle()
    assert waiting() == 0
    assert capture.receive() == []
    capture.settle()


def test_captured_packets_never_reach_the_wire(
    lab: Lab, capture: NfqueueCapture, senders: dict[int, socket.socket]
) -> None:
    with inside(lab.b):
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.bind(("10.99.0.2", 9))
    with server:
        senders[4].send(b"caught")
        assert len(take(capture)) == 1
        # What is sent without the rule arrives, and nothing before it.
        lab.a.run(["iptables-legacy", "-F", "OUTPUT"])
        senders[4].send(b"free")
        server.settimeout(5)
        assert server.recv(100) == b"free"


def test_oversized_packets_leave_the_kernels_queue_too(
    capture: NfqueueCapture, senders: dict[int, socket.socket]
) -> None:
    senders[4].send(bytes(65_507))
    assert capture.receive() == []
    capture.settle()
    assert waiting() == 0


def test_interface_that_goes_away_takes_its_packets_and_nothing_else(
    lab: Lab, capture: NfqueueCapture, senders: dict[int, socket.socket]
) -> None:
    """The kernel drops the queue's packets itself then; our verdict finds none, which is no error."""
    for _ in range(3):
        senders[4].send(b"x")
    lab.a.ip("link set eth0 down")
    assert waiting() == 0
    assert len(take(capture)) == 3
    lab.a.link_up(0)
    senders[6].send(b"still there")
    (packet,) = take(capture)
    assert packet.endswith(b"still there")
    assert capture.counters()["dropped_malformed"] == 0


# --- losses -----------------------------------------------------------------------------------------------------


def test_packets_that_find_the_queue_full_are_counted(
    capture: NfqueueCapture, senders: dict[int, socket.socket]
) -> None:
    flood(senders[4], QUEUE_LENGTH + 100, b"x")
    assert len(take(capture)) == QUEUE_LENGTH
    counters = capture.counters()
    assert counters["dropped_queue_full"] == 100
    assert counters["dropped_buffer_full"] == counters["overruns"] == 0


def test_packets_that_find_the_buffer_full_are_counted(
    capture: NfqueueCapture, senders: dict[int, socket.socket]
) -> None:
    count = 1000
    flood(senders[4], count, bytes(60_000))
    got = len(take(capture))
    assert 0 < got < count
    counters = capture.counters()
    assert counters["dropped_buffer_full"] == count - got
    assert (counters["captured"], counters["dropped_queue_full"]) == (got, 0)
    assert counters["overruns"] >= 1
    senders[4].send(b"alive")
    assert len(take(capture)) == 1, "and it goes on"


def flood(sender: socket.socket, count: int, payload: bytes) -> None:
    """Send without anyone reading; the kernel may tell the sender that a packet was dropped."""
    for _ in range(count):
        with suppress(PermissionError):
            sender.send(payload)


# --- binding ----------------------------------------------------------------------------------------------------


def test_second_program_on_a_queue_is_refused_and_harms_nothing(
    capture: NfqueueCapture, senders: dict[int, socket.socket]
) -> None:
    with pytest.raises(OSError, match="not permitted"):
        NfqueueCapture(QUEUE)
    senders[4].send(b"x")
    assert len(take(capture)) == 1


def test_queue_is_free_again_after_close(lab: Lab) -> None:
    with captured(lab.a) as first:
        first.close()
        first.close()
        with captured(lab.a) as second:
            assert waiting() == 0
            assert second.receive() == []


def test_counters_survive_a_queue_that_is_gone(lab: Lab) -> None:
    with captured(lab.a) as opened:
        opened.close()
        assert opened.counters()["dropped_queue_full"] == 0


# --- refusals ---------------------------------------------------------------------------------------------------


class Refusing:
    """A reader to which the kernel refuses what it asks for."""

    captured = left_alone = dropped_oversize = dropped_malformed = overruns = disowned = 0

    def __init__(self, number: int) -> None:
        self.error = OSError(number, "as told")

    def read(self) -> None:
        raise self.error

    def settle(self, _: int) -> None:
        raise self.error


def unbind(capture: NfqueueCapture) -> None:
    """Take the queue away, as when the kernel's module is loaded anew."""
    capture._socket.send(request(MSG_CONFIG, QUEUE, (1, struct.pack("!BxH", 2, 0))))


def test_verdict_that_fails_is_counted_told_once_and_made_up_for(
    capture: NfqueueCapture, senders: dict[int, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    senders[4].send(b"x")
    assert len(capture.receive()) == 1
    reader, capture._reader = capture._reader, cast("Reader", Refusing(errno.ENOBUFS))
    for _ in range(3):
        capture.settle()
    capture._reader = reader
    assert waiting() == 1
    capture.settle()
    assert waiting() == 0
    assert capture.counters()["failures"] == 3
    assert caplog.messages == [f"NFQUEUE {QUEUE} takes no verdict: as told"]


def test_socket_that_fails_is_replaced_behind_its_descriptor(
    capture: NfqueueCapture, senders: dict[int, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    senders[4].send(b"x")
    assert len(take(capture)) == 1
    descriptor = capture.fileno()
    os.close(descriptor)
    assert capture.receive() == []
    assert capture.fileno() == descriptor
    senders[6].send(b"and on")
    (packet,) = take(capture)
    assert packet.endswith(b"and on")
    assert capture.counters() == dict.fromkeys(capture.counters(), 0) | {"captured": 2, "failures": 1}
    assert caplog.messages == [
        f"NFQUEUE {QUEUE} cannot be read: Bad file descriptor", f"NFQUEUE {QUEUE} is bound to again",
    ]  # fmt: skip


def test_queue_that_vanishes_is_bound_to_again(
    capture: NfqueueCapture, senders: dict[int, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    """A look at the counters finds it missing: the kernel tells nobody."""
    flood(senders[4], QUEUE_LENGTH + 10, b"x")
    assert capture.counters()["dropped_queue_full"] == 10
    unbind(capture)
    assert capture.counters()["failures"] == 1
    assert waiting() == 0
    senders[4].send(b"there")
    assert len(take(capture)) == 1
    assert capture.counters()["dropped_queue_full"] == 10, "what was counted stays"
    assert caplog.messages == [f"NFQUEUE {QUEUE} is gone: No such device", f"NFQUEUE {QUEUE} is bound to again"]


def test_verdict_for_a_queue_that_has_vanished_tells_of_it(
    capture: NfqueueCapture, senders: dict[int, socket.socket]
) -> None:
    senders[4].send(b"x")
    assert len(capture.receive()) == 1
    unbind(capture)
    capture.settle()
    assert capture.receive() == []
    senders[4].send(b"there")
    assert len(take(capture)) == 1


def test_queue_that_another_program_has_taken_is_had_back_when_it_ends(
    lab: Lab, capture: NfqueueCapture, senders: dict[int, socket.socket], caplog: pytest.LogCaptureFixture
) -> None:
    assert capture.counters()["captured"] == 0
    unbind(capture)
    with captured(lab.a):
        assert capture.counters()["captured"] == 0
        for _ in range(2):
            assert select.select([capture], (), (), 10)[0], "it is time for another attempt"
            assert capture.receive() == []
    assert select.select([capture], (), (), 10)[0]
    assert capture.receive() == []
    senders[4].send(b"there")
    assert len(take(capture)) == 1
    assert caplog.messages == [
        f"NFQUEUE {QUEUE} is gone: No such device",
        f"NFQUEUE {QUEUE} cannot be bound to again: Operation not permitted",
        f"NFQUEUE {QUEUE} is bound to again",
    ]
