"""A small text outlives its node: whole or not at all, and nobody waits for the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from alagg.system.statefile import MAX_SIZE, StateFile, place


@pytest.mark.parametrize(
    ("socket", "file"),
    [
        ("/run/alagg/office.sock", "/var/lib/alagg/office.caps"),
        ("/var/run/alagg/office", "/var/lib/alagg/office.caps"),
        ("/tmp/office.sock", "/tmp/office.caps"),
    ],
)
def test_it_lies_where_it_outlives_a_restart_of_the_host(socket: str, file: str) -> None:
    assert place(Path(socket), ".caps") == Path(file)


def test_the_last_text_is_kept_in_a_directory_that_is_made(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "new" / "office.caps")
    assert file.read() == ""
    for number in range(50):
        file.write(f"text {number}")
    file.close()
    assert StateFile(file.path).read() == "text 49"
    assert list(file.path.parent.iterdir()) == [file.path]


def test_full_disk_leaves_the_old_text_and_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = StateFile(tmp_path / "office.caps")
    file._put("old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        file._put("new")
        file._put("newer")
    assert (file.read(), list(tmp_path.iterdir())) == ("old", [file.path])
    (line,) = caplog.messages
    assert "not written: No space left on device" in line
    file._put("newest")
    assert file.read() == "newest"


def test_what_is_no_small_text_is_refused(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "office.caps")
    for data in (b"\xff\xfe", b"x" * (MAX_SIZE + 1)):
        file.path.write_bytes(data)
        with pytest.raises(ValueError):
            file.read()
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        StateFile(tmp_path / "folder").read()
