"""Nodes under control: ready when they say so, asked, ended, killed, and blamed with the end of their log."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

from alagg.lab.namespace import LabError
from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.netns


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab(links=2) as lab:
        yield lab


def test_nodes_start_answer_and_stop(lab: Lab) -> None:
    lab.start_nodes({"log_level": "debug"})
    lab.await_links()
    for host in lab.hosts:
        status = host.node.status()
        assert {link["name"] for link in status["links"]} == {"eth0", "eth1"}
        assert host.node.running
        assert host.node.pid in host.node.processes()
        assert 10e6 < host.node.memory() < 1e9
        assert host.node.stop() == 0
        assert not host.node.running
    assert "debug" in lab.a.node.log.read_text() or lab.a.node.tail()


def test_a_killed_node_is_started_again(lab: Lab) -> None:
    lab.start_nodes()
    before = lab.a.node.pid
    lab.a.node.kill()
    assert not lab.a.node.running
    assert lab.a.node.command("status").returncode == 1
    lab.a.node.start()
    assert lab.a.node.pid != before
    lab.stop_nodes()


def test_a_reload_keeps_the_process(lab: Lab) -> None:
    lab.start_nodes()
    before = lab.a.node.pid
    lab.a.node.reload()
    lab.a.node.wait_status(lambda status: status["pid"])
    assert lab.a.node.running
    assert lab.a.node.pid == before


def test_a_node_that_ends_at_once_is_blamed_with_its_log(lab: Lab) -> None:
    with pytest.raises(LabError, match=r"(?s)ended with 2:.*scheduler"):
        lab.start_nodes({"scheduler": "dance"})


def test_a_lab_gives_back_what_nodes_held_that_ended_unseen() -> None:
    with Lab(links=1) as lab:
        lab.configure({"scheduler": "dance"})
        lab.a.node.begin()
        notices = lab.a.node._notices
        assert notices is not None
        while lab.a.node.running:
            time.sleep(0.01)
        assert notices.fileno() >= 0
    assert notices.fileno() == -1


def test_a_node_runs_once(lab: Lab) -> None:
    lab.start_nodes()
    with pytest.raises(LabError, match="runs already"):
        lab.a.node.start()


def test_what_was_never_started_has_no_pid(lab: Lab) -> None:
    assert not lab.a.node.running
    with pytest.raises(LabError, match="not started"):
        lab.a.node.stop()


def test_a_status_that_never_comes_is_shown(lab: Lab) -> None:
    lab.start_nodes()
    with pytest.raises(LabError, match=r"(?s)not so within 0.2 s, but .*eth0"):
        lab.a.node.wait_status(lambda _: False, timeout=0.2)


def test_a_node_that_hangs_at_its_end_is_killed_and_reported(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    lab.start_nodes()
    monkeypatch.setattr("alagg.lab.node._STOP_TIMEOUT", 0.2)
    for pid in lab.a.node.processes():
        lab.a.run(["kill", f"-{int(signal.SIGSTOP)}", str(pid)])
    with pytest.raises(LabError, match="did not end"):
        lab.a.node.stop()
    assert not lab.a.node.running
