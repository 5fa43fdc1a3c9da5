"""What supervisor and workers tell each other: a large configuration comes in pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alagg.messages import PEERS, MorePeers, Reconfigure, in_pieces
from tests.memory_net import write_config

if TYPE_CHECKING:
    from pathlib import Path


def test_small_configuration_is_one_message(tmp_path: Path) -> None:
    config = write_config(tmp_path / "node.cfg", {"peer": ("10.0.0.2", ("eth0",))})
    assert in_pieces(config, 7) == [Reconfigure(config, 7)]


def test_peers_of_a_large_one_follow(tmp_path: Path) -> None:
    peers = {f"p{number}": (f"10.0.0.{number}", (f"eth{number}",)) for number in range(2 * PEERS + 1)}
    config = write_config(tmp_path / "node.cfg", peers)
    first, *more = in_pieces(config, 1)
    assert isinstance(first, Reconfigure)
    assert first.following == PEERS + 1
    found = list(first.config.peers)
    for piece in more:
        assert isinstance(piece, MorePeers)
        assert len(piece.peers) <= PEERS
        found += piece.peers
    assert tuple(found) == config.peers
