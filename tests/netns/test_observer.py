"""A node with history and alerts on the real kernel: a fault is told and written down, and nothing is left behind."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from alagg.lab.topology import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from alagg.lab.host import Host

pytestmark = [pytest.mark.netns, pytest.mark.beside]

WAIT: Final = 40.0


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Give a lab whose host a keeps a history, and tells a program that writes down what it is told."""
    with Lab(links=2) as built:
        built.configure()
        tell = tmp_path / "tell"
        tell.write_text(f"#!/bin/sh\ncat >>{tmp_path}/told; echo >>{tmp_path}/told\n")
        tell.chmod(0o755)
        config = built.a.node.config
        config.write_text(
            f"{config.read_text()}[history]\nkeep = yes\nfile = {tmp_path}/history.db\n"
            f"[alerts]\ncommand = {tell}\nhold_down = 1s\n"
        )
        built.begin_nodes()
        built.await_links()
        yield built
        built.stop_nodes()


def await_that(true: Callable[[], Any]) -> None:
    limit = time.monotonic() + WAIT
    while not true():
        assert time.monotonic() < limit
        time.sleep(0.05)


def observers(host: Host) -> list[int]:
    return [pid for pid in host.node.processes() if b"alagg.observer" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def told(directory: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in (directory / "told").read_text().splitlines()]
    except (FileNotFoundError, ValueError):
        return []


def history(host: Host) -> dict[str, Any]:
    done = host.node.command("history", "--since", "1h", "--json")
    found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {"events": [], "links": []}
    return found


def kinds(directory: Path, part: str) -> set[str]:
    return {alert["kind"] for message in told(directory) for alert in message[part]}


def test_fault_is_told_and_written_down_and_a_dead_observer_is_replaced(lab: Lab, tmp_path: Path) -> None:
    await_that(lambda: history(lab.a)["links"])
    lab.a.link_down(0)
    await_that(lambda: {"link_down", "no_redundancy"} <= kinds(tmp_path, "begun"))
    (first,) = observers(lab.a)
    os.kill(first, signal.SIGKILL)
    await_that(lambda: "it is started anew" in lab.a.node.tail(50))
    lab.a.link_up(0)
    await_that(lambda: observers(lab.a) not in ([], [first]))
    await_that(lambda: {"down", "up"} <= {event.get("state") for event in history(lab.a)["events"]})
    (second,) = observers(lab.a)
    lab.stop_nodes()
    for pid in (first, second):
        assert not Path(f"/proc/{pid}").exists()
    assert sorted(path.name for path in tmp_path.iterdir() if "history" in path.name) == ["history.db"]
    assert "Traceback" not in lab.a.node.log.read_text()
