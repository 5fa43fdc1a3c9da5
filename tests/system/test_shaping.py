from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from alagg.system import HostError, shaping
from alagg.system.journal import Journal

from .conftest import Hosts, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from alagg.config import Config

    MakeConfig = Callable[..., Config]


def qdisc(hosts: Hosts, interface: str = "eth1") -> str:
    return hosts.a.run(["tc", "qdisc", "show", "dev", interface]).stdout


@pytest.mark.netns
def test_shapes_changes_the_rate_and_leaves_no_trace(hosts: Hosts, make_config: MakeConfig, tmp_path: Path) -> None:
    journal, before = Journal(tmp_path / "journal"), snapshot(hosts.a)
    shaping.shape(make_config(link="rate = 75mbit\npacing = tbf"), journal)
    assert "tbf a1a7: root" in qdisc(hosts)
    assert "rate 75Mbit" in qdisc(hosts)
    shaping.shape(make_config(link="rate = 25mbit\npacing = tbf"), journal)
    assert "rate 25Mbit" in qdisc(hosts)
    assert journal.undo() == ["removed the shaping of eth1"]
    assert snapshot(hosts.a) == before


@pytest.mark.netns
def test_leaves_the_users_discipline_alone(hosts: Hosts, make_config: MakeConfig, tmp_path: Path) -> None:
    hosts.a.tc("qdisc add dev eth1 root pfifo limit 7")
    journal, before = Journal(tmp_path / "journal"), snapshot(hosts.a)
    with pytest.raises(HostError, match=r"eth1 has a queueing discipline \(pfifo\) of its own: remove it"):
        shaping.shape(make_config(link="rate = 75mbit\npacing = tbf"), journal)
    assert journal.undo() == []
    assert snapshot(hosts.a) == before


@pytest.mark.netns
def test_shapes_an_interface_that_came_back(hosts: Hosts, make_config: MakeConfig, tmp_path: Path) -> None:
    config, journal = make_config(link="rate = 75mbit\npacing = tbf"), Journal(tmp_path / "journal")
    hosts.a.ip("link del eth1")
    shaping.shape(config, journal)
    hosts.plug(1)
    shaping.shape(config, journal)
    assert "tbf" in qdisc(hosts)
    hosts.a.ip("link del eth1")
    assert journal.undo() == []


@pytest.mark.netns
def test_unshapes_what_is_no_longer_wanted(hosts: Hosts, make_config: MakeConfig, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    before = make_config(link="rate = 75mbit\npacing = tbf")
    shaping.shape(before, journal)
    shaping.unshape(before, make_config(link="rate = 25mbit\npacing = tbf"))
    assert "tbf" in qdisc(hosts)
    shaping.unshape(before, make_config())
    assert "tbf" not in qdisc(hosts)
    journal.undo()
