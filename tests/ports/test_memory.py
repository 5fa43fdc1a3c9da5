"""The in-process twins keep to the interfaces of the edges."""

from __future__ import annotations

import errno
import select

import pytest

from alagg.ports.base import BATCH, Capture, Injector, Port
from alagg.ports.memory import MemoryCapture, MemoryInjector, MemoryPort, pair
from tests.ports.batches import HEADER, REMOTE, payloads_of, send


def readable(source: Port | Capture) -> bool:
    poller = select.poll()
    poller.register(source.fileno(), select.POLLIN)
    return bool(poller.poll(0))


def got(port: Port) -> list[bytes | None]:
    return payloads_of(port.receive())


def test_frames_cross_in_order_and_both_ways() -> None:
    one, other = pair()
    assert send(one, b"first", b"second") == 2
    assert send(other, b"back") == 1
    assert got(other) == [b"first", b"second"]
    assert got(one) == [b"back"]
    assert (one.sent, other.received, one.lost) == (2, 2, 0)
    one.close()
    other.close()


def test_larger_headers_go_as_they_are() -> None:
    one, other = pair()
    one.room = 1
    assert one.send(REMOTE, bytearray(b"h" * 28 + b"H" * 28), [b"first", b"second"]) == 1
    assert other.receive() == [(b"memory", b"h" * 24, [b"h" * 4 + b"first"])]
    one.close()
    other.close()


def test_descriptor_is_readable_exactly_while_frames_wait() -> None:
    one, other = pair()
    assert not readable(other)
    for _ in range(BATCH + 1):
        send(one, b"frame")
    assert readable(other)
    assert len(got(other)) == BATCH
    assert readable(other)
    assert len(got(other)) == 1
    assert not readable(other)
    assert other.receive() == []
    one.close()
    other.close()


def test_frames_of_one_address_come_together_and_in_order() -> None:
    _, other = pair()
    for remote in (b"first.", b"first.", b"second", b"first."):
        other.deliver(HEADER + b"of " + remote, remote)
    other.deliver(b"short", b"second")
    assert other.receive() == [
        (b"first.", HEADER * 2, [b"of first."] * 2),
        (b"second", HEADER, [b"of second"]),
        (b"first.", HEADER, [b"of first."]),
        (b"second", bytes(24), [None]),
    ]
    other.close()


def test_other_end_sees_the_address_of_the_sender() -> None:
    one, other = pair(addresses=(b"one...", b"other."))
    send(one, b"frame")
    assert other.receive() == [(b"one...", HEADER, [b"frame"])]
    one.close()
    other.close()


def test_frames_of_other_addresses_are_lost() -> None:
    one, other = pair(addresses=(b"one...", b"other."))
    other.set_remotes([b"third."])
    send(one, b"frame")
    assert (other.receive(), one.lost) == ([], 1)
    other.set_remotes([b"third.", b"one..."])
    send(one, b"frame")
    assert got(other) == [b"frame"]
    one.close()
    other.close()


def test_full_link_takes_the_first_frames_only() -> None:
    one, other = pair()
    one.room = 2
    assert send(one, b"a", b"b", b"c") == 2
    assert send(one, b"d") == 0
    assert got(other) == [b"a", b"b"]
    one.room = None
    assert send(one, b"e") == 1
    assert (one.sent, one.refused) == (3, 2)
    one.close()
    other.close()


def test_full_receive_buffer_loses_the_newest_and_counts() -> None:
    one, other = pair(capacity=2)
    assert send(one, b"a", b"b", b"c") == 3
    assert got(other) == [b"a", b"b"]
    assert one.lost == 1
    one.close()
    other.close()


def test_frame_larger_than_the_mtu_is_refused_after_the_ones_before_it() -> None:
    one, other = pair(mtu=24 + 4)
    with pytest.raises(OSError, match="too long") as caught:
        send(one, b"good", b"large")
    assert caught.value.errno == errno.EMSGSIZE
    assert got(other) == [b"good"]
    one.mtu = 24 + 5
    assert send(one, b"large") == 1
    one.close()
    other.close()


def test_port_that_is_down_raises_and_wakes_its_poller_once() -> None:
    one, other = pair()
    poller = select.poll()
    poller.register(one.fileno(), select.POLLIN)
    one.fail()
    assert poller.poll(0)
    assert one.fileno() == -1
    with pytest.raises(OSError, match="down") as caught:
        send(one, b"frame")
    assert caught.value.errno == errno.ENETDOWN
    with pytest.raises(OSError, match="down"):
        one.receive()
    send(other, b"lost")
    assert other.lost == 1
    one.recover()
    assert one.receive() == []
    assert not readable(one)
    assert send(one, b"again") == 1
    assert got(other) == [b"again"]
    one.close()
    other.close()


def test_closed_port_gives_its_descriptor_back_and_takes_nothing() -> None:
    one, other = pair()
    other.close()
    other.close()
    assert other.fileno() == -1
    send(one, b"frame")
    assert one.lost == 1
    with pytest.raises(OSError, match="Bad file descriptor"):
        other.receive()
    one.close()


def test_port_without_another_end_loses_everything() -> None:
    port = MemoryPort()
    assert send(port, b"frame") == 1
    assert port.lost == 1
    port.close()


def test_capture_gives_what_was_put_and_counts_what_found_no_room() -> None:
    capture: Capture = (twin := MemoryCapture(capacity=BATCH + 1))
    packets = [bytes([number]) for number in range(BATCH + 3)]
    assert twin.put(packets) == BATCH + 1
    assert readable(capture)
    assert capture.receive() == packets[:BATCH]
    assert capture.receive() == packets[BATCH : BATCH + 1]
    assert not readable(capture)
    assert twin.settled == 0
    capture.settle()
    assert twin.settled == BATCH + 1
    assert (twin.captured, twin.dropped) == (BATCH + 1, 2)
    capture.close()
    capture.close()
    assert capture.fileno() == -1


def test_injector_keeps_what_fits() -> None:
    injector: Injector = (twin := MemoryInjector(capacity=2))
    assert injector.send([b"a", b"b", b"c"]) == 2
    assert twin.take() == [b"a", b"b"]
    assert injector.send([b"d"]) == 1
    assert (twin.injected, twin.refused) == (3, 1)
    injector.close()
    injector.close()
    assert injector.send([b"e"]) == 0
    assert twin.packets == [b"d"]
