"""Sending by AF_XDP over a real veth pair: frames arrive as they were given, and each way to fail is told."""

from __future__ import annotations

import errno
import itertools
import os
import select
import socket
import time
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alagg.lab.topology import Lab
from tests.native.forms import compiled
from tests.native.leak import ALLOWED, growth
from tests.ports.conftest import inside

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.netns

ETHERTYPE: Final = 0x88B5
SLOTS: Final = 512
"""Frames that the sender's memory holds."""


class Wire:
    """A veth pair: AF_XDP sends at host a, a plain socket hears at host b."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.prefix = bytes.fromhex((lab.b.mac(0) + lab.a.mac(0)).replace(":", "")) + ETHERTYPE.to_bytes(2, "big")
        with inside(lab.b):
            self.target = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            self.target.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
            self.target.bind(("eth0", ETHERTYPE))
        self.sender = self.open()

    def open(self) -> Any:
        """Open a sender as soon as the kernel has the queue back."""
        with inside(self.lab.a):
            for _ in range(500):
                try:
                    return compiled("xdp").XdpSender(socket.if_nametoindex("eth0"), 0)
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        raise
                    time.sleep(0.01)
        raise AssertionError("the queue never became free")

    def send(self, *payloads: bytes) -> int:
        """Send payloads behind headers that carry their numbers."""
        headers = bytearray().join(b"%024d" % number for number in range(len(payloads)))
        sent: int = self.sender.send(self.prefix, headers, list(payloads))
        return sent

    def expect(self, *payloads: bytes) -> None:
        for number, payload in enumerate(payloads):
            assert self.target.recv(1 << 17) == self.prefix + b"%024d" % number + payload

    def nothing_more(self) -> None:
        assert not select.select([self.target], (), (), 0)[0]

    def ready(self) -> Wire:
        """Wait until frames cross: for a moment after the carrier has come, the kernel takes them and drops them."""
        self.target.settimeout(0.01)
        for _ in range(1000):
            self.send(b"?")
            try:
                self.target.recv(100)
                break
            except TimeoutError:
                pass
        self.target.settimeout(5)
        return self

    def close(self) -> None:
        self.sender.close()
        self.target.close()


@pytest.fixture(scope="module")
def shared() -> Iterator[Wire]:
    with Lab(1, direct=True) as lab:
        compiled("xdp")
        wire = Wire(lab).ready()
        yield wire
        wire.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    compiled("xdp")
    with Lab(1, direct=True) as lab:
        wire = Wire(lab).ready()
        yield wire
        wire.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(sizes=st.lists(st.one_of(st.integers(0, 64), st.integers(1400, 1476)), max_size=100))
def test_frames_arrive_byte_for_byte_and_in_order(shared: Wire, sizes: list[int]) -> None:
    payloads = [os.urandom(size) for size in sizes]
    assert shared.send(*payloads) == len(payloads)
    shared.expect(*payloads)


def test_more_frames_than_its_memory_holds_go_out_with_one_call(shared: Wire) -> None:
    payloads = [b"%d" % number for number in range(3 * SLOTS + 7)]
    assert shared.send(*payloads) == len(payloads)
    shared.expect(*payloads)
    shared.nothing_more()


@pytest.mark.parametrize("stride", [24, 28, 64])
def test_headers_of_another_size_go_as_they_are(shared: Wire, stride: int) -> None:
    headers = [b"%0*d" % (stride, number) for number in range(40)]
    assert shared.sender.send(shared.prefix, bytearray().join(headers), [b"payload"] * 40) == 40
    for header in headers:
        assert shared.target.recv(100) == shared.prefix + header + b"payload"
    largest = 2048 - 14 - stride
    with pytest.raises(OSError) as caught:
        shared.sender.send(shared.prefix, bytearray(stride), [bytes(largest + 1)])
    assert caught.value.errno == errno.EMSGSIZE


def test_memory_is_used_again_for_ever(shared: Wire) -> None:
    for length in itertools.islice(itertools.cycle((1, 63, 64, 65, SLOTS - 1)), 60):
        payloads = [os.urandom(8) for _ in range(length)]
        assert shared.send(*payloads) == length
        shared.expect(*payloads)


def test_nothing_is_nothing(shared: Wire) -> None:
    assert shared.send() == 0
    shared.nothing_more()


def test_frame_too_large_for_its_memory_is_refused_after_those_before_it(shared: Wire) -> None:
    assert shared.send(b"a", b"b", bytes(2048), b"d") == 2
    shared.expect(b"a", b"b")
    with pytest.raises(OSError) as caught:
        shared.send(bytes(2048), b"d")
    assert caught.value.errno == errno.EMSGSIZE
    assert shared.send(b"e") == 1
    shared.expect(b"e")
    shared.nothing_more()


@pytest.mark.parametrize(("prefix", "headers"), [(14, 23), (14, 65), (13, 24), (0, 24)])
def test_impossible_batch_is_refused(shared: Wire, prefix: int, headers: int) -> None:
    with pytest.raises(ValueError, match="an Alagg header for each payload"):
        shared.sender.send(bytes(prefix), bytearray(headers), [b""])


@pytest.mark.parametrize("bad", [None, "text", 7])
def test_what_is_no_bytes_is_refused_and_costs_no_memory(shared: Wire, bad: Any) -> None:
    for _ in range(3 * SLOTS):
        with pytest.raises(TypeError):
            shared.sender.send(shared.prefix, bytearray(24 * 3), [b"a", b"b", bad])
    payloads = [b"%d" % number for number in range(SLOTS)]
    assert shared.send(*payloads) == SLOTS
    shared.expect(*payloads)
    shared.nothing_more()


def test_interface_that_is_down_is_told_and_nothing_is_sent_later(wire: Wire) -> None:
    wire.lab.a.ip("link set eth0 down")
    for _ in range(SLOTS):
        with pytest.raises(OSError, match="Network is down") as caught:
            wire.send(b"old", b"older")
        assert caught.value.errno == errno.ENETDOWN
    wire.sender.flush()
    wire.lab.a.link_up(0)
    wire.lab.b.link_up(0)
    wire.target.close()
    with inside(wire.lab.b):
        wire.target = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        wire.target.bind(("eth0", ETHERTYPE))
    wire.target.settimeout(5)
    # Whoever has failed stays so; what it had goes with it.
    with pytest.raises(OSError, match="Network is down"):
        wire.send(b"old")
    wire.sender.close()
    wire.sender = wire.open()
    for _ in range(500):
        if wire.send(b"new") == 1 and heard(wire):
            break
    else:
        raise AssertionError("nothing arrives")
    while payload := heard(wire):
        assert payload == b"new"


def heard(wire: Wire) -> bytes:
    wire.target.settimeout(0.02)
    try:
        return wire.target.recv(100)[38:]
    except TimeoutError:
        return b""


def test_interface_that_is_deleted_is_told(wire: Wire) -> None:
    wire.lab.wire[0].delete_device(wire.lab.a)
    with pytest.raises(OSError) as caught:
        wire.send(b"x")
    assert caught.value.errno in (errno.ENXIO, errno.ENETDOWN, errno.ENODEV)


def test_queue_has_one_owner_and_is_free_again_after_it(wire: Wire) -> None:
    with inside(wire.lab.a), pytest.raises(OSError) as caught:
        compiled("xdp").XdpSender(socket.if_nametoindex("eth0"), 0)
    assert caught.value.errno == errno.EBUSY
    for _ in range(5):
        wire.sender.close()
        wire.sender.close()
        with pytest.raises(ValueError, match="closed"):
            wire.send(b"x")
        wire.sender = wire.open()
        assert wire.send(b"again") == 1
        wire.expect(b"again")


def test_interface_or_queue_that_does_not_exist_is_refused(shared: Wire) -> None:
    with inside(shared.lab.a):
        for interface, queue in ((9999, 0), (socket.if_nametoindex("eth0"), 64)):
            with pytest.raises(OSError):
                compiled("xdp").XdpSender(interface, queue)


def test_nothing_is_kept(shared: Wire) -> None:
    def exchange() -> None:
        assert shared.send(*[b"x" * 1000] * 40) == 40
        for _ in range(40):
            shared.target.recv(2000)

    assert growth(exchange) < ALLOWED
