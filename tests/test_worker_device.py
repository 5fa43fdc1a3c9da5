"""The node's own device: the worker injects through it while it is there, and captures what is routed to it."""

from __future__ import annotations

import dataclasses
import errno
import socket
import sys
from typing import TYPE_CHECKING
from unittest.mock import MagicMock

import pytest

from alagg import worker as worker_module
from alagg.ports import tun
from alagg.ports.memory import MemoryInjector
from alagg.ports.tun import TunCapture
from tests.engine.helpers import ONE, TWO, ipv4, numbered
from tests.engine.packets import Packet, payload
from tests.memory_net import Net

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.memory_net import Node


class DeviceInjector(MemoryInjector):
    """A device that can be had, until `gone`."""

    def __init__(self, name: str, otherwise: MemoryInjector, *, first: bool) -> None:
        super().__init__()
        assert first
        if name == "missing":
            raise OSError(errno.ENODEV, "No such device")
        self.name = name
        self._reader, self.writer = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)

    def fileno(self) -> int:
        return self._reader.fileno()

    def route(self, packets: list[bytes]) -> None:
        """Let packets be routed to the device."""
        for packet in packets:
            self.writer.send(bytes(10) + packet)

    def close(self) -> None:
        super().close()
        self._reader.close()
        self.writer.close()


@pytest.fixture
def device_net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Net]:
    monkeypatch.setattr(worker_module, "TunInjector", DeviceInjector)
    net = Net(tmp_path)
    yield net
    net.close()


def tell_of_device(node: Node, name: str) -> None:
    worker = node.worker
    worker.take_facts(dataclasses.replace(worker._facts, device=name))


def test_device_is_used_as_soon_as_it_is_there(device_net: Net) -> None:
    net = device_net
    assert net.exchange(numbered(range(10))) == numbered(range(10))
    tell_of_device(net.b, "alagg0")
    tell_of_device(net.b, "alagg0")
    assert net.exchange(numbered(range(10, 20))) == []
    injector = net.b.worker.injector
    assert isinstance(injector, DeviceInjector)
    assert injector.name == "alagg0"
    assert injector.take() == numbered(range(10, 20))


def device_of(node: Node) -> DeviceInjector:
    """Give a node's device; it is told of it where it has none yet."""
    if not isinstance(node.worker.injector, DeviceInjector):
        tell_of_device(node, "alagg0")
    injector = node.worker.injector
    assert isinstance(injector, DeviceInjector)
    return injector


def test_what_is_routed_to_the_device_reaches_the_peer(device_net: Net) -> None:
    net = device_net
    packets = numbered(range(10))
    device_of(net.a).route(packets)
    net.run(0.1)
    assert net.b.injector.take() == packets
    status = net.a.worker.snapshot()
    assert (status["capture"]["captured"], status["capture"]["from_device"]) == (10, 10)


def test_what_goes_to_no_peer_is_counted(device_net: Net) -> None:
    net = device_net
    device_of(net.a).route([ipv4(destination="203.0.113.1")] * 3)
    net.run(0.1)
    assert net.a.worker.snapshot()["drops"]["no_peer"] == 3


def test_segments_fit_the_links(device_net: Net) -> None:
    net = device_net
    net.run(0.1)
    device = device_of(net.a)
    (capture,) = [capture for capture in net.a.worker.captures if isinstance(capture, TunCapture)]
    assert capture.segment_size == net.a.worker.endpoint.room
    packet = Packet(source=socket.inet_aton(ONE), destination=socket.inet_aton(TWO), payload=payload(9000))
    size = (1000).to_bytes(2, sys.byteorder)
    device.writer.send(b"\x01\x01" + bytes(2) + size + bytes(4) + packet.pack_partial())
    net.run(0.1)
    assert net.a.worker.snapshot()["capture"]["captured"] == 9


def test_device_that_is_gone_is_watched_no_more(device_net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = device_net.a.worker
    device = device_of(device_net.a)
    (capture,) = [capture for capture in worker.captures if isinstance(capture, TunCapture)]
    device.route(numbered([1]))
    broken = MagicMock(read=MagicMock(side_effect=OSError(errno.EBADFD, "File descriptor in bad state")))
    monkeypatch.setattr(tun, "Reader", lambda _: broken)
    worker.unwatch(capture.fileno())
    gone = TunCapture(device.fileno())
    worker.watch(gone.fileno(), lambda now: worker._capture_device(gone, now))
    worker.step(0)
    worker.step(0)
    assert broken.read.call_count == 1


def test_device_that_cannot_be_had_is_told_once(device_net: Net, caplog: pytest.LogCaptureFixture) -> None:
    net = device_net
    for _ in range(3):
        tell_of_device(net.b, "missing")
    assert caplog.messages == ["injecting through raw sockets, which is slower: device missing: No such device"]
    assert net.exchange(numbered(range(10))) == numbered(range(10))
