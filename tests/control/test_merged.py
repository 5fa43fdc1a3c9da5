"""One view of several workers: counters add up, a link is as bad as the worst sees it, and each one is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from alagg.control.merged import merge
from alagg.engine.state import DOWN, SILENT, UP
from tests.accounts import assert_accounted
from tests.engine.helpers import ONE, TWO, networks, numbered
from tests.memory_net import Clock, Node, Wire, settle, write_config

if TYPE_CHECKING:
    from pathlib import Path


def link(state: str = UP, **others: object) -> dict[str, Any]:
    return {
        "name": "fibre", "state": state, "reason": "", "mtu": 1500, "rtt_ms": None, "loss": None, "tx_loss": None,
        "rx_expected": 0, "tx_expected": 0, "tx_frames": 1, **others,
    }  # fmt: skip


def snapshot(links: list[dict[str, Any]], **others: object) -> dict[str, Any]:
    return {"epoch": 5, "peers": [], "links": links, "capture": {}, **others}


def merged_link(*links: dict[str, Any]) -> dict[str, Any]:
    (found,) = merge([snapshot([one]) for one in links])["links"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize(("ways", "expected"), [
    ([("af_xdp", "free"), ("af_xdp", "free")], ("af_xdp", "free")),
    ([("af_xdp", "free"), ("af_packet", "busy")], ("af_packet", "busy (for 1 of 2 workers)")),
    ([("af_packet", "fq"), ("af_packet", "fq")], ("af_packet", "fq")),
    ([(None, ""), (None, "")], (None, "")),
])
def test_way_of_sending_is_the_slowest_workers(
    ways: list[tuple[str | None, str]], expected: tuple[str | None, str]
) -> None:
    found = merged_link(*(link(sends_by=way, sends_by_reason=reason) for way, reason in ways))
    assert (found["sends_by"], found["sends_by_reason"]) == expected


def test_one_worker_is_shown_as_it_is() -> None:
    only = snapshot([link()])
    assert merge([only]) is only


def test_counters_add_up_and_each_workers_own_stay() -> None:
    one = snapshot([link()], epoch=1, capture={"captured": 3, "overruns": 1})
    other = snapshot([link(rx_dropped=7)], epoch=2, capture={"captured": 4, "overruns": 0})
    both = merge([one, other])
    assert both["capture"] == {"captured": 7, "overruns": 1}
    assert both["workers"] == [one, other]
    assert both["epoch"] == 1
    (found,) = both["links"]
    assert (found["name"], found["tx_frames"]) == ("fibre", 2)
    assert found["rx_dropped"] == 7, "a closed port tells no counters"


@pytest.mark.parametrize(("states", "state", "reason"), [
    ((UP, UP), UP, ""),
    ((DOWN, DOWN), DOWN, "why"),
    ((UP, SILENT), SILENT, "why (for 1 of 2 workers)"),
    ((SILENT, DOWN, SILENT), DOWN, "why (for 1 of 3 workers)"),
])
def test_a_link_is_as_bad_as_the_worst_sees_it(states: tuple[str, ...], state: str, reason: str) -> None:
    found = merged_link(*(link(one, reason="" if one == UP else "why") for one in states))
    assert (found["state"], found["reason"]) == (state, reason)


def test_measurements_are_of_all_workers() -> None:
    busy = link(rtt_ms=0.9, loss=0.1, rx_expected=900, tx_loss=0.2, tx_expected=300, mtu=1500)
    idle = link(rtt_ms=0.1, loss=0.0, rx_expected=100, tx_loss=0.0, tx_expected=100, mtu=1400)
    fresh = link()
    found = merged_link(busy, idle, fresh)
    assert (found["rtt_ms"], found["mtu"], found["rx_expected"]) == (0.5, 1400, 1000)
    assert (found["loss"], found["tx_loss"]) == (pytest.approx(0.09), pytest.approx(0.15))
    assert (merged_link(fresh, fresh)["rtt_ms"], merged_link(fresh, fresh)["loss"]) == (None, None)
    assert merged_link(link(loss=0.0), fresh)["loss"] == 0.0


def test_identities_of_the_snapshot_hold_in_the_sum(tmp_path: Path) -> None:
    peers = {"peer": (TWO, ("eth0", "eth1"))}
    config = write_config(tmp_path / "node.cfg", peers)
    workers = [Node("a", config, epoch, {"eth0": Wire(), "eth1": Wire()}, Clock()) for epoch in (1, 2, 3)]
    for number, node in enumerate(workers):
        node.facts([ONE])
        node.capture.put(numbered(range(number + 1)))
        node.capture.put(numbered([0], destination="192.0.2.9"))
        settle(node)
    found = merge([node.worker.snapshot() for node in workers])
    assert_accounted(found)
    assert found["peers"][0]["tx"]["captured"] == 1 + 2 + 3
    assert found["drops"] == {"no_peer": 3, "stranger": 0}
    assert found["peers"][0]["destinations"] == [str(network) for network in networks(TWO)]
    assert json.loads(json.dumps(found)) == found
    for node in workers:
        node.worker.running = False
        node.worker.run()
