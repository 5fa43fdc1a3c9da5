"""The tunnels: they carry traffic, and say which package is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from alagg.lab.namespace import LabError
from bench import tunnels
from bench.contestants import CONTESTANTS


@pytest.mark.netns
@pytest.mark.parametrize(("name", "program"), [("wireguard-go", "wireguard-go"), ("openvpn", "openvpn")])
def test_a_tunnel_carries_pings(name: str, program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    sockets = Path("/var/run/wireguard")
    with CONTESTANTS[name]() as contestant, contestant.turn():
        assert len(list(sockets.glob(f"wg{os.getpid()}[ab].sock"))) == (2 if program == "wireguard-go" else 0)
        assert contestant.address != contestant.lab.b.ipv4
        before = contestant.received()[0]
        contestant.lab.a.run(["ping", "-q", "-c", "3", "-i", "0.1", "-s", "1000", contestant.address])
        assert contestant.received()[0] > before + 3000
        memory = contestant.memory()
        assert memory
        assert memory > 1 << 20
    assert not list(sockets.glob(f"wg{os.getpid()}[ab].sock"))


def test_a_missing_program_is_named_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(LabError, match=r"wg is not installed.*apt-get install wireguard-tools"):
        tunnels._require("wg")
