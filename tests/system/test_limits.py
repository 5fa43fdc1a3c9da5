"""The limit of open files is raised as far as possible; a node that would run out of them does not start."""

from __future__ import annotations

import os
import resource
from typing import TYPE_CHECKING

import pytest

from alagg.engine.held import LIMIT
from alagg.system import HostError, limits
from alagg.system.limits import memory_to_hold
from tests.memory_net import write_config

if TYPE_CHECKING:
    from pathlib import Path

    from alagg.config import Config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return write_config(tmp_path / "node.cfg", {"peer": ("10.0.0.2", tuple(f"eth{number}" for number in range(10)))})


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Give the limits that are set; none of them comes into force."""
    found: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: found.append(pair))
    return found


@pytest.mark.parametrize(("before", "after"), [
    ((1024, 524_288), [(65_536, 524_288)]),
    ((1024, 4096), [(4096, 4096)]),
    ((1024, resource.RLIM_INFINITY), [(65_536, resource.RLIM_INFINITY)]),
    ((65_536, 524_288), []),
    ((200_000, 524_288), []),
    ((4096, 4096), []),
    ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), []),
])
def test_limit_is_raised(
    config: Config, changed: list[object], monkeypatch: pytest.MonkeyPatch, before: object, after: list[object]
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: before)
    limits.allow_descriptors(config)
    assert changed == after


def test_host_that_allows_too_few_is_told_how_many(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (100, 125))
    with pytest.raises(HostError, match=r"\(ulimit -n, LimitNOFILE of a unit\) is 125: 126 are needed for 10 links"):
        limits.allow_descriptors(config)


@pytest.mark.parametrize(("pages", "expected"), [(1 << 14, 1 << 24), (1 << 24, LIMIT)])
def test_a_small_host_has_less_to_give(monkeypatch: pytest.MonkeyPatch, pages: int, expected: int) -> None:
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": pages, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert memory_to_hold() == expected
