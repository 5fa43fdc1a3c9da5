from __future__ import annotations

import subprocess
import sys

import pytest

from alagg.lab.namespace import environment

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
