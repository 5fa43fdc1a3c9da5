"""The node's own device: the worker injects through it while it is there."""

from __future__ import annotations

import dataclasses
import errno
import socket
from typing import TYPE_CHECKING

import pytest

from alagg import worker as worker_module
from alagg.ports.memory import MemoryInjector
from tests.engine.helpers import numbered
from tests.memory_net import Net

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.memory_net import Node


class DeviceInjector(MemoryInjector):
    """A device that can be had, until `gone`."""

    def __init__(self, name: str, otherwise: MemoryInjector) -> None:
        super().__init__()
        if name == "missing":
            raise OSError(errno.ENODEV, "No such device")
        self.name = name
        self.gone = False
        self.discarded = 0
        self._reader, self.writer = socket.socketpair()

    def fileno(self) -> int:
        return self._reader.fileno()

    def discard(self) -> None:
        if self.gone:
            raise OSError(errno.EBADFD, "File descriptor in bad state")
        self.discarded += len(self._reader.recv(64))

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


def test_what_waits_in_the_device_is_thrown_away_until_it_is_gone(device_net: Net) -> None:
    worker = device_net.b.worker
    tell_of_device(device_net.b, "alagg0")
    injector = worker.injector
    assert isinstance(injector, DeviceInjector)
    injector.writer.send(b"noise")
    worker.step(0)
    assert injector.discarded == 5
    injector.gone = True
    injector.writer.send(b"for ever")
    worker.step(0)
    injector.gone = False
    worker.step(0)
    assert injector.discarded == 5


def test_device_that_cannot_be_had_is_told_once(device_net: Net, caplog: pytest.LogCaptureFixture) -> None:
    net = device_net
    for _ in range(3):
        tell_of_device(net.b, "missing")
    assert caplog.messages == ["injecting through raw sockets, which is slower: device missing: No such device"]
    assert net.exchange(numbered(range(10))) == numbered(range(10))
