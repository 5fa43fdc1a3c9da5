"""Capture files hold the frames, their times and no more than they may, and the usual tools read them."""

from __future__ import annotations

import logging
import shutil
import subprocess
from itertools import count
from random import Random
from typing import TYPE_CHECKING

import pytest
from scapy.utils import rdpcap

from alagg.ports.faults import Faults
from alagg.ports.memory import pair
from alagg.ports.pcap import Pcap, PcapFile
from alagg.ports.trace import Trace
from tests.ports.batches import HEADER, drain, payloads_of, send

if TYPE_CHECKING:
    from pathlib import Path

A, B, TYPE = bytes.fromhex("020000000001"), bytes.fromhex("020000000002"), bytes.fromhex("88b5")
A_TO_B, B_TO_A = B + A + TYPE, A + B + TYPE
START = 1_700_000_000_123_456_789


def capture(path: Path, max_bytes: int = 1 << 20) -> PcapFile:
    ticks = count(START, 1_000)
    return PcapFile(path, lambda: next(ticks), max_bytes)


def frames_of(path: Path) -> list[bytes]:
    return [bytes(packet) for packet in rdpcap(str(path))]


def test_sent_and_received_frames_with_their_times(tmp_path: Path) -> None:
    one, other = pair(addresses=(A, B))
    file = capture(tmp_path / "a.pcap")
    port = Pcap(one, file, A + TYPE)
    one.room = 2
    assert send(port, b"first", b"second", b"never sent", remote=B) == 2
    assert payloads_of(other.receive()) == [b"first", b"second"]
    send(other, b"answer")
    assert port.receive() == [(B, HEADER, [b"answer"])]
    port.close()
    file.close()
    file.close()
    packets = rdpcap(str(file.path))
    assert [bytes(packet) for packet in packets] == [
        A_TO_B + HEADER + b"first", A_TO_B + HEADER + b"second", B_TO_A + HEADER + b"answer",
    ]
    assert [int(packet.time * 10**9) for packet in packets] == [START, START + 1_000, START + 2_000]
    assert (file.written, file.skipped) == (3, 0)
    other.close()


def test_frame_too_short_for_a_header_is_left_out(tmp_path: Path) -> None:
    one, _ = pair()
    file = capture(tmp_path / "a.pcap")
    port = Pcap(one, file, A + TYPE)
    one.deliver(b"short", B)
    one.deliver(HEADER, B)
    assert port.receive() == [(B, bytes(24) + HEADER, [None, b""])]
    file.close()
    assert frames_of(file.path) == [B_TO_A + HEADER]
    port.close()


def test_file_stays_within_its_bound_and_says_so_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = capture(tmp_path / "a.pcap", max_bytes=24 + 2 * (16 + 60))
    for _ in range(4):
        file.write(bytes(60))
    assert (file.written, file.skipped) == (2, 2)
    assert file.path.stat().st_size == 24 + 2 * (16 + 60)
    assert caplog.messages == [f"the capture file {file.path} ends here: it has reached its largest size"]
    file.close()


def test_full_disk_reaches_the_log_and_not_the_port(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    path = tmp_path / "full.pcap"
    path.symlink_to("/dev/full")
    file = capture(path, max_bytes=1 << 30)
    for _ in range(3):
        file.write(bytes(1 << 16))
    assert file.skipped >= 2
    assert "No space left on device" in caplog.messages[0]
    file.close()


def test_only_the_owner_reads_the_traffic(tmp_path: Path) -> None:
    file = capture(tmp_path / "a.pcap")
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.close()


def test_wrapped_port_shows_through(tmp_path: Path) -> None:
    one, other = pair()
    file = capture(tmp_path / "a.pcap")
    port = Pcap(one, file, A + TYPE)
    assert port.fileno() == one.fileno()
    port.set_remotes([B])
    assert one.remotes == (B,)
    port.close()
    assert one.fileno() == -1
    other.close()
    file.close()


@pytest.mark.parametrize(
    "command", [("tcpdump", "-tt", "-n", "--nano", "-r"), ("tshark", "-t", "e", "-r")], ids=["tcpdump", "tshark"]
)
def test_known_tools_read_it(tmp_path: Path, command: tuple[str, ...]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    file = capture(tmp_path / "a.pcap")
    file.write(A_TO_B + bytes(46))
    file.close()
    run = subprocess.run([*command, str(file.path)], check=True, capture_output=True, text=True, timeout=60)
    assert "1700000000.123456789" in run.stdout
    assert "88b5" in run.stdout


def test_wrappers_stack(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "alagg")
    one, other = pair(addresses=(A, B))
    file = capture(tmp_path / "a.pcap")
    # What the node believes it sent is in the log; what left it, after the faults, is in the file.
    port = Trace(Faults(Pcap(one, file, A + TYPE), Random(7), loss=0.5), "fibre")
    assert send(port, *[b"frame"] * 100, remote=B) == 100
    arrived = drain(other)
    file.close()
    assert len(caplog.messages) == 100
    assert 20 < len(arrived) < 80
    assert frames_of(file.path) == [A_TO_B + frame for frame in arrived]
    assert port.fileno() == one.fileno()
    port.close()
    assert one.fileno() == -1
    other.close()
