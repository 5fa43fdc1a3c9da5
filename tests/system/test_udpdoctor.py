"""What `alagg check` says of UDP links."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import pytest

from alagg.config import load
from alagg.system.udpdoctor import examine
from tests.udp_pair import free_port

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="marks need root")


def told(directory: Path, link: str, *, running: bool = False) -> list[tuple[str, str]]:
    path = directory / "alagg.cfg"
    path.write_text(f"[peer far]\ndestinations = 10.0.0.2\n[link wan]\ntype = udp\n{link}\n", encoding="utf-8")
    return [(level, what) for level, what, _ in examine(load(path), running=running)]


def test_all_is_well(tmp_path: Path) -> None:
    port = free_port()
    (at, waits) = told(tmp_path, f"local = 127.0.0.1:{port}")
    assert at == ("ok", f"link wan: UDP at 127.0.0.1:{port}")
    assert waits == ("ok", f"link wan: waits for the peer; firewalls have to let UDP port {port} in")
    assert told(tmp_path, "remote = localhost:7")[1][1].startswith("link wan: ")
    (_, routed) = told(tmp_path, "remote = 127.0.0.1:7")
    assert routed[0] == "ok"
    assert "127.0.0.1 is routed, for frames of up to" in routed[1]


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    ((level, what),) = told(tmp_path, "local = 203.0.113.77:7311")
    assert level == "fail"
    assert what == "link wan: cannot be bound to 203.0.113.77:7311: Cannot assign requested address"
    (_, (level, what)) = told(tmp_path, "remote = no-such-name.invalid:7")
    assert (level, what[:60]) == ("fail", "link wan: no-such-name.invalid cannot be looked up: Name or "[:60])
    ((level, what),) = told(tmp_path, "remote = 127.0.0.1:7\ninterface = none0")
    assert (level, what) == ("fail", "link wan: cannot be bound to none0: No such device")


def test_port_that_is_taken_may_be_the_node_s(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        link = f"local = 127.0.0.1:{taken.getsockname()[1]}"
        assert told(tmp_path, link)[0][0] == "fail"
        assert told(tmp_path, link, running=True)[0][0] == "ok"
