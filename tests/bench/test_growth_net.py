"""Growth end to end: what is configured and what is set up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.config import load
from bench import growth_net
from bench.contestants import Alagg

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
    assert [value for axis, value in ways if axis == "links"] == [1, 2, 4, 8]
    for (axis, value), (make, flows) in ways.items():
        contestant = make()
        assert flows == (value if axis.startswith("flows") else 1)
        assert contestant.links == (value if axis == "links" else 1 if "veth" in axis else 2)
        assert isinstance(contestant, Alagg) == ("veth" not in axis)
