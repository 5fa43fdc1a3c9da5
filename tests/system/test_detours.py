"""Detours: UDP links reach addresses that lie in destinations past the node's own device."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from alagg.config import load
from alagg.messages import Names
from alagg.system.detours import find

from .conftest import inside

if TYPE_CHECKING:
    from pathlib import Path

    from alagg.config import Config

    from .conftest import Hosts

pytestmark = pytest.mark.netns


def config_of(directory: Path, link: str) -> Config:
    path = directory / "alagg.cfg"
    path.write_text(
        f"[peer far]\ndestinations = 10.99.0.0/24, fd99::/64\n[link wan]\ntype = udp\n{link}\n", encoding="utf-8"
    )
    return load(path)


def test_interface_that_leads_there_is_found(hosts: Hosts, tmp_path: Path) -> None:
    with inside(hosts.a):
        lo, eth0 = 1, socket.if_nametoindex("eth0")
        cases: tuple[tuple[str, dict[str, tuple[str, ...]], tuple[tuple[str, int], ...]], ...] = (
            ("remote = 10.99.0.2:7", {}, (("10.99.0.2", eth0),)),
            ("remote = [fd99::2]:7", {}, (("fd99::2", eth0),)),
            ("remote = hub:7", {"hub": ("10.99.0.2", "192.0.2.1")}, (("10.99.0.2", eth0),)),
            ("remote = 192.0.2.1:7", {}, ()),
            ("remote = 10.99.0.2:7\ninterface = eth0", {}, ()),
            ("local = 0.0.0.0:7", {}, ()),
        )
        for link, names, wanted in cases:
            config = config_of(tmp_path, link)
            assert find(config, Names(names, {}), lo) == wanted
            assert find(config, Names(names, {}), 0) == ()
        assert find(config_of(tmp_path, "remote = 10.99.0.2:7"), Names({}, {}), eth0) == (("10.99.0.2", 0),)
