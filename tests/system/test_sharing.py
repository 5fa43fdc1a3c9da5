"""A group may use a file that it is given, or that has its name on a list, and nobody else may."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from alagg.system import sharing

GROUP: Final = 54321
WITHOUT_CHOWN: Final = ["setpriv", "--bounding-set=-chown", "--inh-caps=-all"]
SHARE: Final = """
import sys, pathlib, alagg.system.sharing
alagg.system.sharing.share(pathlib.Path(sys.argv[1]), {}, {})
"""
CONNECT: Final = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def place() -> Path:
    """Give a directory on the kind of file system that holds control sockets, which everybody may enter."""
    found = Path("/dev/shm") / f"alagg-{os.getpid()}"
    found.mkdir(mode=0o755)
    return found


def run(program: str, path: Path, *before: str) -> bool:
    command = [*before, sys.executable, "-c", program, str(path)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def may_connect(path: Path, group: int) -> bool:
    return run(CONNECT, path, "setpriv", "--reuid=65534", f"--regid={group}", "--clear-groups")


@pytest.mark.parametrize("before", [[], WITHOUT_CHOWN], ids=["given", "listed"])
def test_socket_is_for_its_group_alone(before: list[str], place: Path) -> None:
    path = place / "sock"
    try:
        with closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(str(path))
            path.chmod(0o600)
            listener.listen()
            assert not may_connect(path, GROUP)
            assert not sharing.shared(path, GROUP)
            assert run(SHARE.format(GROUP, 0o660), path, *before)
            assert may_connect(path, GROUP)
            assert not may_connect(path, GROUP + 1)
            assert sharing.shared(path, GROUP)
            assert not sharing.shared(path, GROUP + 1)
    finally:
        path.unlink(missing_ok=True)
        place.rmdir()


def test_file_of_another_group_is_given(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch(0o600)
    sharing.share(path, GROUP, 0o640)
    assert (path.stat().st_gid, path.stat().st_mode & 0o777) == (GROUP, 0o640)
