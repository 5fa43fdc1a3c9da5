"""Several workers, two here and three there: flows keep their order and lose nothing, whichever worker has them."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.lab import measure
from alagg.lab.topology import Lab
from tests.accounts import assert_shares_hold
from tests.netns.conftest import say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alagg.lab.measure import Family, Running, Stream, Transfer

pytestmark = pytest.mark.netns

WORKERS: Final = {"a": 2, "b": 3}
FLOWS: Final = 6
"""Flows of messages of each family and direction: that one of three workers has none of 24 is out of the question."""
FAMILIES: Final[tuple[Family, ...]] = (4, 6)
COUNT: Final = 400
INTERVAL: Final = 0.01
PULLED, BACK = 1.0, 2.5
"""Seconds from the start of the traffic until a link is pulled, and until it is back."""


@contextmanager
def crews(**options: object) -> Iterator[Lab]:
    """Build a lab whose nodes differ in the number of their workers."""
    with Lab(links=2) as lab:
        for host, peer in (lab.hosts, lab.hosts[::-1]):
            text = lab.config(host, peer, {"workers": WORKERS[host.letter], **options})
            host.node.config.write_text(text, encoding="utf-8")
            host.node.start()
        lab.await_links()
        yield lab
        lab.stop_nodes()


@pytest.fixture(scope="module", params=["yes", "no"], ids=["gso", "no-gso"])
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    with crews(gso=request.param) as built:
        yield built


def flows(lab: Lab) -> tuple[list[Running[Stream]], list[Running[Stream]], list[Running[Transfer]]]:
    """Start messages with echoes, one-way streams, and transfers; both families, both directions, many ports."""
    ways = [(one, other, family) for one, other in (lab.hosts, lab.hosts[::-1]) for family in FAMILIES]
    seconds = COUNT * INTERVAL
    echoes = [measure.ping(*way[:2], count=COUNT, interval=INTERVAL, family=way[2]) for way in ways]
    echoes += [
        measure.messages(one, other, count=COUNT, interval=INTERVAL, family=family)
        for one, other, family in ways for _ in range(FLOWS)
    ]  # fmt: skip
    streams = [measure.stream(*way[:2], count=COUNT, interval=INTERVAL, family=way[2]) for way in ways]
    transfers = [
        measure.transfer(one, other, size=int(2e6 / 8 * seconds), rate=2e6, family=family)
        for one, other, family in ways for _ in range(2)
    ]  # fmt: skip
    return echoes, streams, transfers


def test_a_pulled_link_loses_nothing_of_any_workers_flows(lab: Lab) -> None:
    with ExitStack() as stack:
        echoes, streams, transfers = flows(lab)
        for stop in (*(one.stop for one in (*echoes, *streams)), *(one.stop for one in transfers)):
            stack.callback(stop)
        time.sleep(PULLED)
        lab.wire[0].unplug()
        time.sleep(BACK - PULLED)
        states = [host.node.status()["links"][0]["state"] for host in lab.hosts]
        lab.wire[0].plug()
        for number, flow in enumerate((*echoes, *streams)):
            result = flow.result()
            say(f"{number}: {result}")
            assert (result.sent, result.lost, result.duplicated, result.out_of_order) == (COUNT, 0, 0, 0)
        assert all(transfer.result().intact for transfer in transfers)
    lab.await_links()
    assert states == ["down", "down"]
    for host in lab.hosts:
        say(f"{host.letter}: {host.node.status()['workers']}")
        assert_every_worker_took_part(host.node.status(), WORKERS[host.letter])


def assert_every_worker_took_part(status: dict[str, Any], count: int) -> None:
    assert len(status["workers"]) == count
    for number, worker in enumerate(status["workers"]):
        (peer,) = worker["peers"]
        assert peer["tx"]["captured"] > COUNT
        # The peer has at least two lanes; a third worker here has nothing to receive.
        assert (peer["rx"]["delivered"] > COUNT) == (number < min(WORKERS.values()))
        assert bool(peer["rx"]["replies"]) == (number == 0), "one worker watches the links for all"
        assert [link["state"] for link in worker["links"]] == ["up", "up"]
    for snapshot in (status, *status["workers"]):
        assert_shares_hold(snapshot)
    assert len({worker["epoch"] for worker in status["workers"]}) == count


def test_each_state_of_a_link_is_told_once(lab: Lab) -> None:
    lab.a.link_down(1)
    lab.a.node.wait_status(lambda status: status["links"][1]["state"] == "down")
    lab.a.link_up(1)
    lab.await_links()
    lines = lab.a.node.log.read_text().splitlines()
    told = [line for line in lines if "link eth1 to b is down" in line]
    assert len(told) == 1, told


@pytest.mark.beside
def test_a_worker_that_dies_ends_the_node_and_everything_is_undone() -> None:
    with crews() as lab:
        node = lab.a.node
        supervisor, *workers = node.processes()
        assert len(workers) == WORKERS["a"]
        os.kill(workers[-1], signal.SIGKILL)
        deadline = time.monotonic() + 10
        while node.running and time.monotonic() < deadline:
            time.sleep(0.02)
        assert not node.running
        assert "worker process 1 has died" in node.tail(40)
        assert not [pid for pid in (supervisor, *workers) if _lives(pid)]
        assert not node.socket.exists()
        assert "NFQUEUE" not in lab.a.run(["iptables-legacy-save"]).stdout
        node.start()
        lab.await_links()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.beside
def test_a_worker_that_hangs_is_named_and_the_others_go_on() -> None:
    with crews() as lab:
        node = lab.a.node
        worker = node.processes()[1]
        os.kill(worker, signal.SIGSTOP)
        try:
            ended = node.command("status", "--json")
        finally:
            os.kill(worker, signal.SIGCONT)
        assert ended.returncode == 1
        (line,) = ended.stderr.splitlines()
        assert line.endswith("refuses: worker process 0 does not answer")
        assert len(node.wait_status(lambda status: "workers" in status)["workers"]) == WORKERS["a"]
