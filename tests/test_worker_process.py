"""The worker's process: what it makes of its supervisor's words, of edges that refuse, and of what to log."""

from __future__ import annotations

import errno
import logging
import multiprocessing
from typing import TYPE_CHECKING, Any

import pytest

from alagg import opening
from alagg import worker_process as process_module
from alagg.control.parts import decode
from alagg.crew import log_event
from alagg.engine.events import LatentError, LinkStateChanged, NumberingReset
from alagg.messages import Failed, HostFacts, InterfaceFacts, Ready, Reconfigure, SnapshotRequest, Stop, Taken
from alagg.ports.memory import MemoryCapture, MemoryInjector, MemoryPort
from alagg.supervised import Supervised
from alagg.worker import Worker
from alagg.worker_process import worker_process
from tests.engine.helpers import TWO
from tests.memory_net import MAC, write_config

if TYPE_CHECKING:
    from collections.abc import Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    from alagg.config import Config


class Twin(MemoryPort):
    """An Ethernet port in memory."""

    suffix = b"S" * 8


@pytest.fixture
def edges(monkeypatch: pytest.MonkeyPatch) -> MemoryCapture:
    """Put edges in memory in the place of the kernel's."""
    capture = MemoryCapture()

    def open_capture(queue: int, *, super_packets: bool = False) -> MemoryCapture:
        return MemoryCapture() if super_packets else capture

    monkeypatch.setattr(opening, "NfqueueCapture", open_capture)
    monkeypatch.setattr(process_module, "RawInjector", lambda mark: MemoryInjector())
    monkeypatch.setattr(opening, "EthernetPort", lambda *_: Twin())
    monkeypatch.setattr("signal.signal", lambda *_: None)
    return capture


def supervise(config: Config, pcap: Path | None, *messages: object, number: int = 0) -> Connection:
    """Say all these things to a worker, let it run to its end, and give the connection with its answers."""
    ours, theirs = multiprocessing.Pipe()
    for message in messages:
        ours.send(message)
    worker_process(config, theirs, pcap, number)
    theirs.close()
    return ours


def answers(connection: Connection) -> list[Any]:
    with connection:
        found = []
        while connection.poll(0):
            try:
                found.append(connection.recv())
            except EOFError:
                break
        return found


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return write_config(tmp_path / "node.cfg", {"peer": (TWO, ("eth0",))})


UP = HostFacts({"eth0": InterfaceFacts(3, 1500, "")}, ())


def test_process_serves_its_supervisor_until_told_to_stop(
    config: Config, edges: MemoryCapture, tmp_path: Path
) -> None:
    both = write_config(tmp_path / "both.cfg", {"peer": (TWO, ("eth0", "eth1"))})
    ready, first, taken, second = answers(
        supervise(config, None, SnapshotRequest(1), UP, Reconfigure(both, 7), SnapshotRequest(2), Stop())
    )
    assert (ready, taken) == (Ready(), Taken(7))
    assert (first.number, first.first, first.last, second.number) == (1, True, True, 2)
    assert [(link["name"], link["reason"]) for link in decode([first.part])["links"]] == [("eth0", "not opened yet")]
    reasons = [(link["name"], link["reason"]) for link in decode([second.part])["links"]]
    assert reasons == [("eth0", "the peer has not answered yet"), ("eth1", "the interface does not exist")]
    assert edges.fileno() == -1


def test_process_ends_when_its_supervisor_is_gone(config: Config, edges: MemoryCapture) -> None:
    ours, theirs = multiprocessing.Pipe()
    ours.send(UP)
    worker = Worker(config, 1, [edges], MemoryInjector(), lambda *_: MemoryPort())
    Supervised(worker, theirs)
    worker.step(0)
    assert worker.running
    ours.close()
    worker.run()  # it would not return otherwise
    theirs.close()


def test_process_that_cannot_capture_says_why(
    config: Config, edges: MemoryCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(queue: int) -> MemoryCapture:
        raise OSError("Failed to create queue")

    monkeypatch.setattr(opening, "NfqueueCapture", refuse)
    (answer,) = answers(supervise(config, None))
    assert isinstance(answer, Failed)
    assert answer.reason.startswith("cannot capture from NFQUEUE 1")
    assert "Failed to create queue" in answer.reason
    edges.close()


def test_process_writes_frames_to_a_capture_file(config: Config, edges: MemoryCapture, tmp_path: Path) -> None:
    answers(supervise(config, tmp_path / "all.pcap", UP, Stop()))
    probe = b"\x22\x00"
    assert MAC + Twin.suffix + probe in (tmp_path / "all.pcap").read_bytes()


def test_each_worker_has_its_queues_its_lanes_and_its_capture_file(
    tmp_path: Path, edges: MemoryCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path / "node.cfg", {"peer": (TWO, ("eth0",))}, queue="5", workers="3")
    queues, shares = [], []

    def open_capture(queue: int, *, super_packets: bool = False) -> MemoryCapture:
        queues.append((queue, super_packets))
        return MemoryCapture()

    def open_port(interface: str, remotes: Sequence[bytes], ethertype: int, index: int, count: int) -> MemoryPort:
        shares.append((index, count))
        return Twin()

    monkeypatch.setattr(opening, "NfqueueCapture", open_capture)
    monkeypatch.setattr(opening, "EthernetPort", open_port)
    answers(supervise(config, tmp_path / "all.pcap", UP, Stop(), number=2))
    assert queues == [(7, False), (1031, True)]
    assert shares == [(2, 3)]
    assert (tmp_path / "all-2.pcap").exists()
    assert not (tmp_path / "all-2.pcap").read_bytes().partition(MAC + Twin.suffix)[2], "the first worker probes"
    edges.close()


def test_port_that_cannot_be_opened_is_no_reason_to_end(
    config: Config, edges: MemoryCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> MemoryPort:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(opening, "EthernetPort", refuse)
    _, state = answers(supervise(config, None, UP, SnapshotRequest(), Stop()))
    assert decode([state.part])["links"][0]["reason"] == "Operation not permitted"


@pytest.mark.parametrize(("event", "level"), [
    (LinkStateChanged("office", "fibre", "up", ""), logging.INFO),
    (LinkStateChanged("office", "fibre", "silent", "the peer does not answer"), logging.WARNING),
    (LatentError("office", 100, 3), logging.WARNING),
])
def test_events_become_one_line_with_their_values(
    event: LinkStateChanged | LatentError, level: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        log_event(event)
    (record,) = caplog.records
    assert (record.levelno, record.getMessage()) == (level, str(event))
    assert record.__dict__["peer"] == "office"
    assert "\n" not in record.getMessage()


def test_only_the_first_worker_tells_of_links(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        log_event(LinkStateChanged("office", "fibre", "up", ""), 1)
        log_event(NumberingReset("office", 1, 7), 1)
    assert caplog.messages == [
        "worker 1: peer office was restarted, or its numbers jumped: now in epoch 0x00000007, lane 1"
    ]
