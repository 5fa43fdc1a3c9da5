"""The identities that must hold in every snapshot, of one worker or of all: nothing is unaccounted for."""

from __future__ import annotations

from typing import Any


def assert_accounted(snapshot: dict[str, Any]) -> None:
    assert_shares_hold(snapshot)
    delivered = sum(peer["rx"]["delivered"] for peer in snapshot["peers"])
    assert delivered == snapshot["injector"]["injected"] + snapshot["injector"]["refused"]


def assert_shares_hold(snapshot: dict[str, Any]) -> None:
    """Hold a snapshot, of a worker or of all, to its identities up to the injector."""
    peers = snapshot["peers"]
    captured = snapshot["capture"]["captured"]
    assert captured == sum(peer["tx"]["captured"] for peer in peers) + snapshot["drops"]["no_peer"]
    for peer in peers:
        tx, rx = peer["tx"], peer["rx"]
        assert tx["captured"] == tx["sent"] + tx["waiting"] + sum(tx[key] for key in tx if key.startswith("dropped_"))
        links = [link for link in snapshot["links"] if link["peer"] == peer["name"]]
        assert rx["frames"] == sum(link["rx_frames"] for link in links)
        kinds = ("passed", "discarded", "rogue", "probes", "replies", "bad_cookie", "control_frames")
        assert rx["frames"] == sum(rx[kind] for kind in kinds)
