"""Schedulers are found by name, and each one keeps to the interface."""

from __future__ import annotations

import pytest

from alagg.engine.link import Link
from alagg.engine.scheduler import SCHEDULERS
from alagg.engine.scheduler.redundant import Redundant


def test_names() -> None:
    assert SCHEDULERS["redundant"] is Redundant


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_lays_each_packet_on_open_links(name: str) -> None:
    scheduler = SCHEDULERS[name](None)
    links = [Link(number, str(number), 1500) for number in range(3)]
    for count in (3, 2, 1):
        runs = scheduler.schedule([b"packet"] * 10, links[:count], 0.0)
        assert sum(run.length for run in runs) == 10
        assert all(set(run.links) <= set(links[:count]) for run in runs)
        assert all(run.links for run in runs)
