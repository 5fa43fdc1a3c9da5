from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Final

import pytest

from alagg.lab.namespace import environment
from alagg.system import HostError, rights

SCRIPT = "from alagg.system import rights; print(*rights.lacking()); rights.demand()"


@pytest.mark.netns
@pytest.mark.parametrize(
    ("taken", "lacking"),
    [("-all", ["CAP_NET_ADMIN", "CAP_NET_RAW"]), ("-net_raw", ["CAP_NET_RAW"]), ("-sys_time", [])],
)
def test_what_is_lacking_is_named(taken: str, lacking: list[str]) -> None:
    command = ["setpriv", f"--bounding-set={taken}", "--inh-caps=-all", sys.executable, "-c", SCRIPT]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
    assert ended.stdout.split() == lacking
    assert (ended.returncode == 0) == (not lacking)
    assert ("run it as root" in ended.stderr) == bool(lacking)


GIVEN_UP: Final = "from alagg.system import rights; rights.give_up(); print(*rights.lacking()); "
BOUND: Final = "import os, time; from alagg.system import rights; bound = rights.end_with(os.getppid()); "
TOLD: Final = "import pathlib; print(pathlib.Path('/proc/self/status').read_text())"


@pytest.mark.netns
def test_rights_given_up_do_not_come_back_with_another_program() -> None:
    told = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {TOLD!r}], check=True)"
    status = run(GIVEN_UP + told)
    assert status.startswith("CAP_NET_ADMIN CAP_NET_RAW\n")
    for field in ("CapEff", "CapPrm", "CapBnd"):
        assert f"{field}:\t0000000000000000\n" in status


def test_rights_that_the_kernel_does_not_take_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Deaf:
        """Takes every call, and does nothing."""

        def prctl(self, *_: int) -> int:
            return 0

        def capset(self, *_: object) -> int:
            return 0

    monkeypatch.setattr(rights, "_libc", Deaf())
    with pytest.raises(HostError, match="cannot give up its rights"):
        rights.give_up()


def test_process_whose_parent_has_gone_is_told() -> None:
    assert run(f"{BOUND}print(bound, rights.end_with(1 << 30))") == "True False\n"


def test_parent_takes_the_process_with_it() -> None:
    child = f"{BOUND}print(os.getpid(), flush=True); time.sleep(60)"
    parent = f"""
import subprocess, sys
child = subprocess.Popen([sys.executable, '-c', {child!r}], stdout=subprocess.PIPE)
print(child.stdout.readline().decode(), end='', flush=True)
"""
    pid = int(run(parent))
    limit = time.monotonic() + 10
    while lives(pid):
        assert time.monotonic() < limit
        time.sleep(0.01)


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def run(script: str) -> str:
    """Run a script in a process of its own, and give what it says."""
    command = [sys.executable, "-c", script]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment(), timeout=30).stdout
