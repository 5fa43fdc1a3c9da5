"""What happens around a node holds up no packet: a stopped supervisor, a log that nobody reads, silent clients, …"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab import measure
from alagg.lab.topology import Lab
from tests.netns.conftest import running, say
from tests.netns.heartbeat import Heartbeat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.netns

INTERVAL: Final = 0.005
STOPPED: Final = 10.0
"""Seconds for which a supervisor is stopped."""
ANSWERING: Final = ("up", "wary")
"""States of a link that comes and goes: the more often, the longer it is watched before it is up."""
GAP: Final = 0.02
"""Seconds by which an answer may be late, besides what the machine took for itself."""


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with running(Lab(links=2)) as built:
        yield built


def lose_nothing(lab: Lab, seconds: float, meanwhile: Callable[[], None], gap: float = GAP) -> None:
    """Send pings both ways while something happens: none is lost, and hardly any is late."""
    count = round(seconds / INTERVAL)
    with ExitStack() as stack:
        heartbeat = stack.enter_context(Heartbeat())
        ways = [(lab.a, lab.b), (lab.b, lab.a)]
        pings = [measure.ping(one, other, count=count, interval=INTERVAL) for one, other in ways]
        for ping in pings:
            stack.callback(ping.stop)
        meanwhile()
        results = [ping.result() for ping in pings]
    say(*results, f"longest pause of a processor: {heartbeat.longest_pause * 1e3:.1f} ms")
    for result in results:
        assert (result.sent, result.lost, result.duplicated) == (count, 0, 0)
        assert result.longest_gap <= INTERVAL + gap + heartbeat.longest_pause


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def flap(lab: Lab, times: int = 3) -> None:
    """Take a link away and back: events, and lines of the log."""
    for _ in range(times):
        lab.a.link_down(1)
        time.sleep(0.2)
        lab.a.link_up(1)
        time.sleep(0.3)


@pytest.mark.slow
def test_a_stopped_supervisor_holds_up_nothing(lab: Lab) -> None:
    """Somebody asks it for a status before, and it is told of a link that comes and goes."""
    node = lab.a.node

    def meanwhile() -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.connect(str(node.socket))
            with stopped(node.pid):
                client.sendall(b"status\n")
                flap(lab)
                time.sleep(STOPPED)
            client.settimeout(10)
            assert client.recv(1 << 16)

    lose_nothing(lab, STOPPED + 3, meanwhile)
    lab.await_links(*ANSWERING)


def test_a_hundred_silent_clients_hold_up_nothing(lab: Lab) -> None:
    node = lab.a.node

    def meanwhile() -> None:
        with ExitStack() as stack:
            for says in (b"", b"sta", b"status\n", b"events\n") * 25:
                client = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                client.connect(str(node.socket))
                client.sendall(says)
            start = time.monotonic()
            assert node.status()["links"]
            say(f"a status among them: {(time.monotonic() - start) * 1e3:.0f} ms")
            flap(lab)

    lose_nothing(lab, 3, meanwhile)


def test_a_flood_of_netlink_events_holds_up_nothing(lab: Lab) -> None:
    """Addresses, routes and MTUs of an interface that is no link's come and go, more than the node's socket holds."""
    lab.a.ip("link add flood type veth peer name far", "link set flood up")
    place = "192.0.2.{0}/32 dev flood"
    steps = [f"addr add {place}", "link set flood mtu {1}", f"addr del {place}"]
    flood = "".join(f"{step}\n".format(number % 250, 1400 + number % 2) for number in range(1000) for step in steps)

    def meanwhile() -> None:
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            lab.a.run(["nice", "-n", "19", "ip", "-batch", "-"], stdin=flood)
        flap(lab, times=1)

    lose_nothing(lab, 4, meanwhile, gap=0.1)  # what the kernel does for the flood keeps the processors busy, too
    lab.await_links(*ANSWERING)
    lab.a.ip("link del flood")


def test_a_log_that_nobody_reads_holds_up_nothing_nor_the_end(lab: Lab, tmp_path: Path) -> None:
    """Standard error is a full pipe from the beginning: also the last lines find no room."""
    place = tmp_path / "node.pipe"
    os.mkfifo(place)
    reader = os.open(place, os.O_RDONLY | os.O_NONBLOCK)
    node, log = lab.a.node, lab.a.node.log
    try:
        fill(place)
        node.stop()
        node.log = place
        node.start()
        lab.await_links(*ANSWERING)
        lose_nothing(lab, 2, lambda: flap(lab))
        assert node.stop() == 0
        assert "NFQUEUE" not in lab.a.run(["iptables-legacy", "-S"]).stdout
        assert "alagg0" not in lab.a.run(["ip", "link"]).stdout
    finally:
        os.close(reader)
        node.log = log
    node.start()
    lab.await_links(*ANSWERING)


def fill(pipe: Path) -> None:
    """Put as much into a pipe as it takes."""
    writer = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, bytes(4096))
    os.close(writer)


def test_a_full_disk_holds_up_nothing(lab: Lab, tmp_path: Path) -> None:
    """The log's file lies on a disk of 64 kB, which is full. The last test: it leaves its node stopped."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "alagg-test", place], check=True)
    try:
        node = lab.a.node
        node.stop()
        node.log = place / "node.log"
        node.start()
        lab.await_links(*ANSWERING)
        with pytest.raises(OSError, match="No space left"):
            (place / "rest").write_bytes(bytes(1 << 17))
        lose_nothing(lab, 3, lambda: flap(lab))
        assert node.stop() == 0
    finally:
        lab.a.node.log = lab.a.node.config.with_suffix(".log")
        subprocess.run(["umount", "--lazy", place], check=True)  # the node may still have its log open
