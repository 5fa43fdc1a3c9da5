"""Growth end to end: what is configured and what is set up."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from alagg.config import load
from alagg.lab.namespace import LabError
from bench import growth_net
from bench.contestants import Alagg, Contestant
from bench.growth_net import Way

if TYPE_CHECKING:
    from pathlib import Path


def test_further_peers_are_valid_and_differ(tmp_path: Path) -> None:
    file = tmp_path / "node.cfg"
    file.write_text(growth_net.others(127), encoding="utf-8")
    config = load(file)
    assert len(config.peers) == 127
    assert len({link.mac for link in config.links}) == 127


def test_every_axis_has_its_values() -> None:
    ways = growth_net.ways()
    assert [way.value for way in ways if way.axis == "links"] == [1, 2, 4, 8]
    for way in ways:
        contestant = way.make()
        assert way.flows == (way.value if way.axis.startswith("flows") else 1)
        assert contestant.links == (way.value if way.axis == "links" else 1 if "veth" in way.axis else 2)
        assert isinstance(contestant, Alagg) == ("veth" not in way.axis)


@pytest.mark.netns
def test_a_way_that_fails_does_not_take_the_others_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = [Way(growth_net.BARE, count, partial(Contestant, "veth"), count) for count in (1, 10)]
    results = iter([LabError("a link\nlies idle"), {"bytes": 1e9, "seconds": 2.0, "ours": 3.0, "others": 0.0}])

    def transfer(*_: object) -> object:
        if isinstance(result := next(results), LabError):
            raise result
        return result

    monkeypatch.setattr(growth_net, "ways", lambda: bare)
    monkeypatch.setattr(growth_net, "transfer", transfer)
    failures: list[str] = []
    (measured,) = growth_net.run(Console(quiet=True), failures.append, quick=True)
    assert failures == ["growth to 1 flows, bare veth failed in round 1: a link lies idle"]
    assert growth_net.values([measured]) == [
        {"axis": growth_net.BARE, "value": 10, "bit_per_s": [4e9], "cpu_s_per_gb": [3.0]}
    ]
