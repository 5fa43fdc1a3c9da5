"""A configuration for the commands that need one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg.system import rights

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def rights_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands run that need root; here they change nothing."""
    monkeypatch.setattr(rights, "lacking", list)


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "alagg.cfg"
    path.write_text(
        f"[alagg]\ncontrol_socket = {tmp_path}/alagg.sock\n"
        "[peer office]\ndestinations = 10.99.0.2, fd99::2\n"
        "[link fibre]\ninterface = eth0\nmac = 52:54:00:12:34:56\n"
        "[link copper]\ninterface = eth1\nmac = 52:54:00:12:34:57\n"
    )
    return path
