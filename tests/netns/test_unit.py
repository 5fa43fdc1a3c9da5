"""A node that has what its systemd unit leaves it, and no more, does all that it is for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from alagg.lab.topology import Lab
from alagg.system.sharing import shared

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.netns, pytest.mark.beside]

UNIT: Final = (Path(__file__).parents[2] / "alagg/contrib/alagg@.service").read_text(encoding="utf-8")
GROUP: Final = ("nogroup", 65534)
CONFINE: Final = """
mkdir "$DEV" && mount -t tmpfs none "$DEV" && mkdir "$DEV/net" "$DEV/shm"
for name in null zero random urandom net/tun; do touch "$DEV/$name"; mount --bind "/dev/$name" "$DEV/$name"; done
mount --rbind "$DEV" /dev
mount --bind /proc/sys /proc/sys
for place in {writable}; do mount --bind "$place" "$place"; done
mount -o remount,bind,ro /proc/sys
exec setpriv --no-new-privs --bounding-set=-all,{capabilities} --inh-caps=-all "$@"
"""
"""What PrivateDevices, BindPaths, ProtectKernelTunables, ReadWritePaths and CapabilityBoundingSet come to."""


def confinement() -> str:
    values = {name: value.split() for name, value in re.findall(r"^(\w+)=(.*)$", UNIT, re.MULTILINE)}
    assert values["PrivateDevices"] == values["ProtectKernelTunables"] == ["yes"]
    assert values["BindPaths"] == ["-/dev/net/tun"]
    allowed = [f"+{name.removeprefix('CAP_').lower()}" for name in values["CapabilityBoundingSet"]]
    writable = [place.removeprefix("-") for place in values["ReadWritePaths"]]
    return CONFINE.format(writable=" ".join(writable), capabilities=",".join(allowed))


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Give a lab whose node a is confined as by its unit, keeps a history and tells of what happens."""
    with Lab(links=2) as built:
        built.configure({"control_group": GROUP[0]})
        node = built.a.node
        tell = tmp_path / "tell"
        tell.write_text(f"#!/bin/sh\ncat >>{tmp_path}/told\n")
        tell.chmod(0o755)
        extra = f"[history]\nkeep = yes\nfile = {tmp_path}/history.db\n[alerts]\ncommand = {tell}\nhold_down = 1s\n"
        node.config.write_text(node.config.read_text() + extra)
        usual = node.program
        begin = ["env", f"DEV={tmp_path}/dev", "unshare", "--mount", "sh", "-ec", confinement(), "sh"]
        node.program = lambda *words: [*begin, *usual(*words)]  # type: ignore[method-assign]
        built.begin_nodes()
        node.program = usual  # type: ignore[method-assign]
        built.await_links()
        yield built
        built.stop_nodes()


def test_confined_node_joins_by_af_xdp_keeps_a_history_and_tells(lab: Lab, tmp_path: Path) -> None:
    assert lab.a.ping(lab.b, count=5).received == 5
    assert lab.a.transfer(lab.b, size=1_000_000).intact
    status = lab.a.node.status()
    assert [link["sends_by"] for link in status["links"]] == ["af_xdp"] * 2
    assert lab.a.run(["cat", "/proc/sys/net/ipv4/conf/alagg0/send_redirects"]).stdout == "0\n"
    assert shared(lab.a.node.socket, GROUP[1])
    lab.a.link_down(0)
    lab.a.node.wait_status(lambda _: (tmp_path / "told").exists(), timeout=40)
    assert shared(tmp_path / "history.db", GROUP[1])
    log = lab.a.node.log.read_text()
    assert not re.search("Traceback|permitted|denied|Read-only", log), log
