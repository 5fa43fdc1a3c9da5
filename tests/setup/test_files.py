"""The first configuration: it is valid, says what each option means, and never takes another one's place unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg import config
from alagg.config import ConfigError
from alagg.setup.files import Side, text, write

if TYPE_CHECKING:
    from pathlib import Path

SIDE = Side(
    "a", "b", ("10.99.0.2", "fd99::2"),
    {"eth0": {"interface": "eth0", "mac": "auto"}, "udp": {"type": "udp", "remote": "192.0.2.1:7311"}},
    {"control_socket": "/run/other.sock"}, remarks={"eth0": "this one has a remark"},
)  # fmt: skip


def test_file_is_valid_and_has_a_comment_for_each_option(tmp_path: Path) -> None:
    write(tmp_path / "new" / "a.cfg", text(SIDE))
    read = config.load(tmp_path / "new" / "a.cfg")
    assert [str(one) for one in read.peers[0].destinations] == ["10.99.0.2/32", "fd99::2/128"]
    assert [(link.name, link.type) for link in read.links] == [("eth0", "ethernet"), ("udp", "udp")]
    assert str(read.control_socket) == "/run/other.sock"
    lines = text(SIDE).splitlines()
    assert all(lines[at - 1].startswith("#") for at, line in enumerate(lines) if " = " in line and line[0] != "#")
    assert "# this one has a remark\n[link eth0]" in text(SIDE)


def test_file_that_is_there_stays_unless_it_may_go(tmp_path: Path) -> None:
    path = tmp_path / "a.cfg"
    path.write_text("mine")
    with pytest.raises(FileExistsError):
        write(path, text(SIDE))
    assert path.read_text() == "mine"
    write(path, text(SIDE), replace=True)
    assert config.load(path).links
    assert list(tmp_path.iterdir()) == [path]


def test_wrong_file_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mac"):
        write(tmp_path / "a.cfg", text(Side("a", "b", ("10.99.0.2",), {"eth0": {"interface": "eth0", "mac": "x"}})))
    assert not list(tmp_path.iterdir())
