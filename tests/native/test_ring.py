"""The ring for receiving: what the kernel writes comes out in order, whole, once, and every slot is given back."""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import select
import socket
import struct
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alagg.lab.topology import Lab
from alagg.ports.base import BATCH
from tests.native.forms import compiled
from tests.native.leak import ALLOWED, growth
from tests.ports.conftest import inside

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SLOT: Final = 2048
ETHERTYPE: Final = 0x88B5
US: Final = b"\x02\0\0\0\0\x01"
PEERS: Final = (b"\x02\0\0\0\0\x02", b"\x02\0\0\0\0\x03")
KERNEL, USER = 0, 1

Frame = tuple[bytes, bytes]
"""A source address, and what stands behind the Ethernet header."""


class Kernel:
    """Plays the kernel on a ring in memory, as packet(7) describes TPACKET_V2."""

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.next = 0
        self.file = os.memfd_create("ring")
        os.ftruncate(self.file, slots * SLOT)
        self.memory = mmap.mmap(self.file, slots * SLOT)
        self.receiver = compiled("ring").Receiver(self.file, slots, SLOT)

    def write(self, source: bytes, body: bytes, *, cut: int = SLOT) -> bool:
        """Write a frame of which `cut` bytes fit; give False when the ring is full."""
        at = self.next * SLOT
        if struct.unpack_from("=I", self.memory, at)[0] != KERNEL:
            return False
        frame = US + source + ETHERTYPE.to_bytes(2, "big") + body
        self.memory[at + 66 : at + 66 + len(frame[:cut])] = frame[:cut]
        struct.pack_into("=IIIHH", self.memory, at, USER, len(frame), len(frame[:cut]), 66, 80)
        self.next = (self.next + 1) % self.slots
        return True

    def status(self) -> list[int]:
        return [struct.unpack_from("=I", self.memory, slot * SLOT)[0] for slot in range(self.slots)]

    def close(self) -> None:
        self.receiver.close()
        self.memory.close()
        os.close(self.file)


@pytest.fixture
def kernel() -> Iterator[Kernel]:
    played = Kernel(100)
    yield played
    played.close()


def flat(arrivals: Sequence[tuple[bytes, bytes, Sequence[bytes | None]]]) -> list[tuple[bytes, bytes, bytes | None]]:
    """Give one entry for each frame: source, header, payload."""
    found = []
    for source, headers, payloads in arrivals:
        assert len(headers) == 24 * len(payloads)
        found += [(source, headers[24 * at : 24 * at + 24], payload) for at, payload in enumerate(payloads)]
    return found


def expected(frame: Frame) -> tuple[bytes, bytes, bytes | None]:
    source, body = frame
    return (source, body[:24], body[24:]) if len(body) >= 24 else (source, bytes(24), None)


frames = st.lists(st.tuples(st.sampled_from(PEERS), st.binary(max_size=60)), max_size=150)


@given(frames, st.integers(1, 70))
def test_frames_come_out_in_order_each_once(sent: list[Frame], slots: int) -> None:
    """Rings of any size, which wrap at any place, and frames too short for a header among the others."""
    kernel = Kernel(slots)
    waiting, found = list(sent), []
    while True:
        while waiting and kernel.write(*waiting[0]):
            waiting.pop(0)
        arrivals = kernel.receiver.receive()
        if not arrivals:
            break
        assert sum(len(payloads) for _, _, payloads in arrivals) <= BATCH
        assert all(one[0] != two[0] for one, two in itertools.pairwise(arrivals)), "one run, two arrivals"
        found += flat(arrivals)
    assert found == [expected(frame) for frame in sent]
    assert kernel.status() == [KERNEL] * slots
    kernel.close()


def test_takes_a_batch_at_most_and_leaves_the_rest(kernel: Kernel) -> None:
    for number in range(100):
        assert kernel.write(PEERS[number % 2], bytes([number]) * 30)
    assert not kernel.write(PEERS[0], b""), "the ring is full"
    assert len(flat(kernel.receiver.receive())) == BATCH
    assert kernel.status() == [KERNEL] * BATCH + [USER] * (100 - BATCH)
    assert [header[0] for _, header, _ in flat(kernel.receiver.receive())] == list(range(BATCH, 100))


def test_frame_that_the_slot_cut_off_is_given_as_far_as_it_came(kernel: Kernel) -> None:
    kernel.write(PEERS[0], b"h" * 24 + b"p" * 100, cut=14 + 24 + 10)
    kernel.write(PEERS[0], b"h" * 24 + b"p" * 100, cut=14 + 23)
    assert flat(kernel.receiver.receive()) == [(PEERS[0], b"h" * 24, b"p" * 10), (PEERS[0], bytes(24), None)]


def test_what_was_handed_out_stays_when_the_slot_is_used_again(kernel: Kernel) -> None:
    kernel.write(PEERS[0], b"h" * 24 + b"first")
    first = kernel.receiver.receive()
    for _ in range(100):
        kernel.write(PEERS[1], b"H" * 24 + b"other")
    assert first == [(PEERS[0], b"h" * 24, [b"first"])]


def test_slot_that_claims_more_than_it_holds_is_read_to_its_end_only(kernel: Kernel) -> None:
    struct.pack_into("=IIIHH", kernel.memory, 0, USER, 60_000, 60_000, 66, 80)
    ((_, _, payload),) = flat(kernel.receiver.receive())
    assert payload is not None
    assert len(payload) == SLOT - 66 - 14 - 24


def test_closed_ring_says_so(kernel: Kernel) -> None:
    kernel.receiver.close()
    kernel.receiver.close()
    with pytest.raises(ValueError, match="closed"):
        kernel.receiver.receive()


@pytest.mark.parametrize(("slots", "size"), [(0, SLOT), (-1, SLOT), (8, 1024), (8, 1 << 18)])
def test_impossible_ring_is_refused(kernel: Kernel, slots: int, size: int) -> None:
    with pytest.raises(ValueError, match="2 to 128 KiB"):
        compiled("ring").Receiver(kernel.file, slots, size)


def test_memory_that_cannot_be_mapped_is_an_error() -> None:
    edge = compiled("ring")
    with pytest.raises(OSError) as caught:
        edge.Receiver(-1, 8, SLOT)
    assert caught.value.errno == errno.EBADF


def test_nothing_is_kept(kernel: Kernel) -> None:
    def exchange() -> None:
        for number in range(8):
            kernel.write(PEERS[number % 2], bytes(24) + bytes(1000))
        assert len(flat(kernel.receiver.receive())) == 8

    assert growth(exchange) < ALLOWED
    assert growth(lambda: compiled("ring").Receiver(kernel.file, 100, SLOT)) < ALLOWED


# --- the real kernel --------------------------------------------------------------------------------------------


class Wire:
    """A veth pair: a socket that sends at one end, one with a ring at the other."""

    def __init__(self, lab: Lab, size: int) -> None:
        self.lab = lab
        with inside(lab.b):
            self.target = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
            self.receiver = compiled("ring").on_socket(self.target, size)
            self.target.bind(("eth0", ETHERTYPE))
        with inside(lab.a):
            self.origin = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            self.origin.bind(("eth0", 0))
        self.mac = bytes.fromhex(lab.b.mac(0).replace(":", ""))

    def send(self, body: bytes, source: bytes = PEERS[0]) -> None:
        self.origin.send(self.mac + source + ETHERTYPE.to_bytes(2, "big") + body)

    def receive(self) -> list[Any]:
        select.select([self.target], (), (), 1)
        return flat(self.receiver.receive())

    def ready(self) -> Wire:
        """Wait until frames cross: for a moment after the carrier has come, the kernel takes them and drops them."""
        for _ in range(1000):
            self.send(bytes(24))
            if select.select([self.target], (), (), 0.01)[0]:
                break
        while self.receiver.receive():
            pass
        return self

    def close(self) -> None:
        self.receiver.close()
        self.target.close()
        self.origin.close()


@pytest.fixture
def wire(request: pytest.FixtureRequest) -> Iterator[Wire]:
    with Lab(1, direct=True) as lab:
        wire = Wire(lab, getattr(request, "param", 1514)).ready()
        yield wire
        wire.close()


@pytest.mark.netns
def test_poller_wakes_up_while_frames_wait_and_sleeps_when_none_do(wire: Wire) -> None:
    for number in range(BATCH + 1):
        wire.send(bytes([number]) * 124)
    assert [header[0] for _, header, _ in wire.receive()] == list(range(BATCH))
    assert select.select([wire.target], (), (), 0)[0]
    assert wire.receive() == [(PEERS[0], bytes([BATCH]) * 24, bytes([BATCH]) * 100)]
    assert not select.select([wire.target], (), (), 0)[0]
    assert wire.receiver.receive() == []


@pytest.mark.netns
@pytest.mark.parametrize(("wire", "mtu"), [(1514, 1500), (9014, 9000), (65_549, 65_535)], indirect=["wire"])
def test_largest_frames_of_any_mtu_pass(wire: Wire, mtu: int) -> None:
    for host in wire.lab.hosts:
        host.ip(f"link set eth0 mtu {mtu}")
    body = os.urandom(mtu)
    for _ in range(3):
        wire.send(body)
    assert wire.receive() == [(PEERS[0], body[:24], body[24:])] * 3


@pytest.mark.netns
def test_full_ring_loses_the_newest_the_kernel_counts_and_all_goes_on(wire: Wire) -> None:
    for number in range(3000):
        wire.send(number.to_bytes(4, "big").ljust(100, b"\0"))
    dropped = struct.unpack("=II", wire.target.getsockopt(263, 6, 8))[1]  # SOL_PACKET, PACKET_STATISTICS
    numbers = []
    while found := flat(wire.receiver.receive()):
        numbers += [int.from_bytes(header[:4], "big") for _, header, _ in found]
    assert numbers == list(range(3000 - dropped))
    assert dropped > 0
    wire.send(b"again".ljust(100, b"\0"))
    assert wire.receive()[0][1].startswith(b"again")


@pytest.mark.netns
def test_frames_that_wait_come_before_the_bad_news(wire: Wire) -> None:
    wire.send(b"last words".ljust(60, b"\0"))
    wire.lab.b.ip("link set eth0 down")
    assert wire.receive()[0][1].startswith(b"last words")
    with pytest.raises(OSError, match="Network is down"):
        wire.receiver.receive()
    assert wire.receiver.receive() == []


@pytest.mark.netns
@pytest.mark.parametrize("size", [0, -1, 1 << 17])
def test_impossible_size_is_refused(wire: Wire, size: int) -> None:
    with pytest.raises(ValueError, match=r"131,006 bytes"):
        compiled("ring").on_socket(wire.target, size)
