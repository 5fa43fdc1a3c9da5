"""How a worker opens its edges; what is opened is tried in tests/test_worker_process.py."""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from alagg.opening import captures_of, pcap_of, port_opener, why
from alagg.ports.base import bare
from alagg.ports.udpport import Place, UdpPort
from tests.engine.helpers import TWO
from tests.memory_net import write_config
from tests.ports.batches import send

if TYPE_CHECKING:
    from pathlib import Path

PEERS = {"b": (TWO, ("eth0",))}


def test_no_queue_is_opened_where_the_device_is_all(tmp_path: Path) -> None:
    assert captures_of(write_config(tmp_path / "a.cfg", PEERS, capture="device"), 0) == []


def test_reason_names_the_queues(tmp_path: Path) -> None:
    config = write_config(tmp_path / "a.cfg", PEERS, queue="7")
    assert why(OSError(errno.EPERM, "not permitted"), config, 0).startswith(
        "cannot capture from NFQUEUE 7 and 1031: not permitted"
    )


def test_each_worker_has_a_capture_file(tmp_path: Path) -> None:
    one, two = (write_config(tmp_path / "a.cfg", PEERS, workers=number) for number in ("1", "2"))
    file = tmp_path / "all.pcap"
    assert (pcap_of(None, two, 1), pcap_of(file, one, 0)) == (None, file)
    assert pcap_of(file, two, 1) == tmp_path / "all-1.pcap"


@pytest.mark.skipif(os.geteuid() != 0, reason="marks need root")
def test_udp_port_is_traced_and_written_down(tmp_path: Path) -> None:
    config = write_config(tmp_path / "a.cfg", PEERS, log_level="debug")
    with ExitStack() as stack:
        opened = port_opener(tmp_path / "a.pcap", 0, stack)(config, Place("", "127.0.0.1", 0), ())
        stack.callback(opened.close)
        port = bare(opened)
        assert isinstance(port, UdpPort)
        name = port._socket.getsockname()
        remote = b"\x02\x00" + name[1].to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
        assert send(opened, b"to myself", remote=remote) == 1
        assert len(opened.receive()) == 1
        assert opened.counters()["pcap_written"] == 2
