"""The engine gets of a configuration what it has to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.engine.header import SIZE
from alagg.settings import peer_settings
from tests.memory_net import write_config

if TYPE_CHECKING:
    from pathlib import Path


def test_each_peer_with_its_links(tmp_path: Path) -> None:
    peers = {"one": ("10.0.0.1", ("eth0", "eth1")), "two": ("10.0.0.2", ("eth2",))}
    one, two = peer_settings(write_config(tmp_path / "alagg.cfg", peers, copies="1", reorder_timeout="20ms"))
    assert (one.name, [link.name for link in one.links]) == ("one", ["eth0", "eth1"])
    assert (two.copies, two.reorder_timeout, two.scheduler) == (1, 0.02, "redundant")
    assert {link.mtu for link in one.links} == {SIZE}, "nothing fits before the interfaces are there"
