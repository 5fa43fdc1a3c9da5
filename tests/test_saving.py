"""Saving a link into a file: what is not its own stays to the byte, comments too, and it is all or nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from alagg.config import ConfigError, load
from alagg.saving import edited, save

if TYPE_CHECKING:
    from pathlib import Path

FILE = """\
# Ours.
[peer office]
destinations = 10.99.0.2 ; the server

# the first
[link wan]
; the modem
interface=eth0
mac = 52:54:00:12:34:56
rate = 20mbit   ; paid for
weight = 3
  # heavy

# the second
[link lan]
interface = eth1
mac = 52:54:00:12:34:57
"""
WAN = {"interface": "eth0", "mac": "52:54:00:12:34:56", "rate": "20mbit", "weight": "3"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "alagg.cfg"
    path.write_text(FILE)
    return path


def test_keys_are_set_where_they_stand_and_comments_stay(path: Path) -> None:
    save(path, "wan", {**WAN, "rate": "5mbit"})
    assert path.read_text() == FILE.replace("20mbit", "5mbit")
    save(path, "wan", {**WAN, "rate": "20mbit"})
    assert path.read_text() == FILE


def test_comments_in_a_value_stay() -> None:
    assert "rate = 20mbit   ; paid for\nweight = 9\n# heavy\n\n" in edited(FILE, "wan", {**WAN, "weight": "9"})
    assert edited("[link wan]\nrate = ; none\n", "wan", {"rate": "5mbit"}) == "[link wan]\nrate = 5mbit ; none\n"


def test_keys_come_and_go(path: Path) -> None:
    save(path, "lan", {"interface": "eth1", "mac": "52:54:00:12:34:57", "rate": "1mbit"})
    assert path.read_text() == FILE + "rate = 1mbit\n"
    save(path, "lan", {"interface": "eth1", "mac": "52:54:00:12:34:57"})
    assert path.read_text() == FILE
    keys = {key: text for key, text in WAN.items() if key != "rate"}
    assert edited(FILE, "wan", keys) == FILE.replace("rate = 20mbit   ; paid for\n", "")


def test_links_come_and_go(path: Path) -> None:
    keys = {"interface": "eth2", "mac": "52:54:00:12:34:58", "rate": ""}
    save(path, "sat", keys)
    assert path.read_text() == FILE + "\n[link sat]\ninterface = eth2\nmac = 52:54:00:12:34:58\nrate =\n"
    save(path, "sat", None)
    assert path.read_text() == FILE + "\n"
    save(path, "wan", None)
    start, end = FILE.index("[link wan]"), FILE.index("# the second")
    assert path.read_text() == FILE[:start] + FILE[end:] + "\n"
    assert edited(FILE, "gone", None) == FILE


def test_a_link_without_keys_gets_some() -> None:
    text = "[link wan]\n# nothing yet\n"
    assert edited(text, "wan", {"rate": "5mbit"}) == text + "rate = 5mbit\n"
    assert edited(text + "\n[alagg]\n", "wan", None) == "# nothing yet\n\n[alagg]\n"


def test_mode_owner_links_and_line_ends_are_kept(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode())
    path.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(path, 12, 34)
    before = path.stat()
    link = path.with_name("link.cfg")
    link.symlink_to(path.name)
    save(link, "wan", {**WAN, "rate": "5mbit"})
    after = path.stat()
    assert link.is_symlink()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert path.read_bytes() == b"\xef\xbb\xbf" + FILE.replace("20mbit", "5mbit").replace("\n", "\r\n").encode()
    assert sorted(one.name for one in path.parent.iterdir()) == ["alagg.cfg", "link.cfg"]


def test_a_file_that_is_or_would_be_wrong_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"\[link wan\] rate = slow: allowed: "):
        save(path, "wan", {**WAN, "rate": "slow"})
    assert path.read_text() == FILE
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        with pytest.raises(OSError, match="No space left"):
            save(path, "wan", {**WAN, "rate": "5mbit"})
    assert path.read_text() == FILE
    path.write_text(FILE.replace("[link lan]", "[lnk lan]"))
    with pytest.raises(ConfigError, match=r"\[lnk lan\] is not a section"):
        save(path, "wan", WAN)
    assert [one.name for one in path.parent.iterdir()] == ["alagg.cfg"]


def test_what_was_saved_is_read_again(path: Path) -> None:
    save(path, "wan", {**WAN, "weight": "9", "rate": "5mbit"})
    (link,) = [link for link in load(path).links if link.name == "wan"]
    assert (link.weight, link.rate) == (9, 5_000_000)
